"""turnwire under other libraries' interfaces; each module needs the extra of its name."""
