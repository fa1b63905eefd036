"""Writes a tiny model with random weights as a GGUF file: it says words that mean nothing.

It never ends by itself, and says the same to the same input if the temperature is 0.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import gguf
import numpy as np

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

NAME: Final = "tiny"
CONTEXT: Final = 4096  # tokens

_WIDTH: Final = 64
_INNER: Final = 128
_HEADS: Final = 4
_LAYERS: Final = 2
_WORDS: Final = [f"▁{a}{b}{c}" for a in "bdfgklmnprst" for b in "aeiou" for c in "nrl"]
_SPECIAL: Final = ["<unk>", "<s>", "</s>"]
_BYTES: Final = [f"<0x{byte:02X}>" for byte in range(256)]
_MARKS: Final = ["<tool_call>", "</tool_call>"]
_SILENT: Final = [*_SPECIAL, *_BYTES, *_MARKS]  # never said by itself
_TEMPLATE: Final = (
    "{% if tools %}<|system|>{{ tools | tojson }}\n{% endif %}"
    "{% for message in messages %}<|{{ message.role }}|>{{ message.content or '' }}"
    "{% for call in message.tool_calls or [] %}"
    '<tool_call>{"name": "{{ call.function.name }}",'
    ' "arguments": {{ call.function.arguments | tojson }}}</tool_call>'
    "{% endfor %}\n{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>{% endif %}"
)

# With this as `logit_bias` it begins calls; what a call looks like is up to the server.
CALLS: Final = {str(_SILENT.index("<tool_call>")): 60}
CALL: Final = {**CALLS, str(_SILENT.index("</s>")): 70}  # and ends as soon as it may


def write_tiny_model(path: Path) -> None:
    """Write the model: half a megabyte."""
    writer = gguf.GGUFWriter(path, "llama")
    _write_shape(writer)
    _write_vocabulary(writer)
    _write_weights(writer)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def _write_shape(writer: gguf.GGUFWriter) -> None:
    writer.add_name(NAME)
    writer.add_file_type(gguf.LlamaFileType.ALL_F32)
    writer.add_context_length(CONTEXT)
    writer.add_embedding_length(_WIDTH)
    writer.add_feed_forward_length(_INNER)
    writer.add_block_count(_LAYERS)
    writer.add_head_count(_HEADS)
    writer.add_head_count_kv(_HEADS)
    writer.add_rope_dimension_count(_WIDTH // _HEADS)
    writer.add_layer_norm_rms_eps(1e-5)


def _write_vocabulary(writer: gguf.GGUFWriter) -> None:
    tokens = [*_SILENT, *_WORDS]
    writer.add_vocab_size(len(tokens))
    writer.add_tokenizer_model("llama")
    writer.add_token_list(tokens)
    writer.add_token_scores([0.0] * len(_SILENT) + [-1.0] * len(_WORDS))
    writer.add_token_types(
        [gguf.TokenType.UNKNOWN, gguf.TokenType.CONTROL, gguf.TokenType.CONTROL]
        + [gguf.TokenType.BYTE] * len(_BYTES)
        + [gguf.TokenType.USER_DEFINED] * len(_MARKS)
        + [gguf.TokenType.NORMAL] * len(_WORDS)
    )
    writer.add_unk_token_id(0)
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    writer.add_add_space_prefix(False)  # noqa: FBT003  # or no grammar fits the template
    writer.add_chat_template(_TEMPLATE)


def _write_weights(writer: gguf.GGUFWriter) -> None:
    random = np.random.default_rng(7)

    def noise(*shape: int) -> NDArray[np.float32]:
        return random.standard_normal(shape).astype(np.float32)

    def ones() -> NDArray[np.float32]:
        return np.ones(_WIDTH, np.float32)

    size = len(_SILENT) + len(_WORDS)
    output = noise(size, _WIDTH)
    output[: len(_SILENT)] = 0
    writer.add_tensor("token_embd.weight", noise(size, _WIDTH))
    writer.add_tensor("output.weight", output)
    writer.add_tensor("output_norm.weight", ones())
    square, wide, tall = (_WIDTH, _WIDTH), (_INNER, _WIDTH), (_WIDTH, _INNER)
    shapes = {
        "attn_q": square,
        "attn_k": square,
        "attn_v": square,
        "attn_output": square,
        "ffn_gate": wide,
        "ffn_up": wide,
        "ffn_down": tall,
    }
    for layer in range(_LAYERS):
        for name, shape in shapes.items():
            writer.add_tensor(f"blk.{layer}.{name}.weight", noise(*shape) / 8)
        for name in ("attn_norm", "ffn_norm"):
            writer.add_tensor(f"blk.{layer}.{name}.weight", ones())
