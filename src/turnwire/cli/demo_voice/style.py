"""How the page looks: light and dark, wide and narrow, nothing from elsewhere."""

from __future__ import annotations

from typing import Final

STYLE: Final = """
:root { color-scheme: light dark; --paper: #fff; --ink: #1c1e21; --soft: #5d6570; --rule: #d9dde3;
  --user: #a16207; --heard: #0f766e; --never: #98a2b3; --cut: #be123c; --card: #f6f7f9; }
@media (prefers-color-scheme: dark) {
  :root { --paper: #15181c; --ink: #e7eaee; --soft: #9aa4b0; --rule: #333a43;
    --user: #facc15; --heard: #2dd4bf; --never: #667080; --cut: #fb7185; --card: #1d2127; } }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 1.5rem 1rem 4rem; max-width: 60rem; background: var(--paper);
  color: var(--ink); font: 1rem/1.5 system-ui, sans-serif; }
h1 { font-size: 1.6rem; line-height: 1.2; margin: 0 0 .25rem; }
h2 { font-size: 1rem; margin: 0 0 .75rem; }
section { margin: 2.5rem 0; }
figure { margin: 0; }
.lead, .legend, .axis, .tick, caption, .cards span { color: var(--soft); }
.lead { margin: 0; }
.alarm { color: var(--cut); font-weight: 600; }
.user { --tone: var(--user); } .heard { --tone: var(--heard); } .never { --tone: var(--never); }
.cards { display: grid; gap: 1rem; grid-template-columns: repeat(auto-fit, minmax(11rem, 1fr));
  margin: 1.5rem 0; }
.cards div { background: var(--card); border-radius: .5rem; padding: .75rem 1rem; }
.cards b { display: block; font-size: 1.5rem; line-height: 1.3;
  font-variant-numeric: tabular-nums; }
.cards span { font-size: .875rem; display: block; line-height: 1.35; }
.lanes, .plot { position: relative; }
.lane { padding: .35rem 0 .6rem; border-top: 1px solid var(--rule); }
.lanes { border-bottom: 1px solid var(--rule); }
.lane span { display: inline-block; position: relative; z-index: 1; font-size: .875rem;
  padding-right: .4rem; background: var(--paper); }
.lane span::before { content: ""; display: inline-block; width: .7rem; height: .7rem;
  margin-right: .4rem; border-radius: 2px; background: var(--tone); }
.lane svg { display: block; width: 100%; height: 4.5rem; }
.lane path { fill: var(--tone); }
.lane line, .plot line { stroke: var(--rule); vector-effect: non-scaling-stroke; }
.cut { position: absolute; top: 0; bottom: 0; width: 0; border-left: 2px solid var(--cut); }
.cutlabel { margin: 0; color: var(--cut); font-weight: 600; font-size: .9rem;
  white-space: nowrap; transform: translateX(-1px); }
.axis { position: relative; height: 1.25rem; margin: .25rem 0 0; font-size: .8rem;
  overflow: hidden; font-variant-numeric: tabular-nums; }
.axis span { position: absolute; white-space: nowrap; }
.legend { display: flex; flex-wrap: wrap; gap: .25rem 1.25rem; margin: 0 0 1rem;
  font-size: .9rem; }
.legend span::before { content: ""; display: inline-block; width: 1.25rem; height: 3px;
  margin-right: .4rem; vertical-align: middle; background: var(--tone); }
.plot { height: 15rem; margin-left: 2.75rem; }
.plot svg { width: 100%; height: 100%; overflow: visible; }
.plot polyline { fill: none; stroke: var(--tone); stroke-width: 2.5; stroke-linejoin: round;
  vector-effect: non-scaling-stroke; }
.inset { margin-left: 2.75rem; }
.tick { position: absolute; right: 100%; margin-right: .5rem; transform: translateY(50%);
  font-size: .8rem; white-space: nowrap; }
.said { margin: .4rem 0; padding-left: 4rem; text-indent: -4rem; }
.said b { display: inline-block; width: 4rem; text-indent: 0; font-weight: 400;
  color: var(--soft); }
.said del { color: var(--soft); text-decoration-thickness: 1px;
  text-decoration-color: var(--cut); }
.wrong { text-decoration: underline wavy var(--cut) 1px; text-underline-offset: .2em; }
.legend .wrong::before { display: none; }
.two { display: grid; gap: 1rem 2.5rem; margin-bottom: .75rem;
  grid-template-columns: repeat(auto-fit, minmax(18rem, 1fr)); }
h3 { font-size: .9rem; font-weight: 600; color: var(--soft); margin: 0 0 .25rem; }
audio { width: 100%; margin-top: .5rem; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; font-size: .9rem; }
caption { text-align: left; padding-bottom: .5rem; }
th, td { padding: .35rem 1.1rem .35rem 0; border-bottom: 1px solid var(--rule);
  text-align: right; white-space: nowrap; }
th:first-child { text-align: left; font-weight: 400; }
"""
