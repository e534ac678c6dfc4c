# SPDX-FileCopyrightText: 2026 The libulysses_coll authors
# SPDX-License-Identifier: Apache-2.0
"""The structs of ulysses_torch are those of the headers: sizes and every field's place."""

from __future__ import annotations

import ctypes
import subprocess
from pathlib import Path

from ulysses_torch import attention_library, library

INCLUDE = Path(__file__).parents[2] / "include"
STRUCTS = {
    "ulyssesUniqueId_t": library.UniqueId,
    "ulyssesConfig_t": library.Config,
    "ulyssesGeometry_t": library.GeometryStruct,
    "ulyssesStrides_t": library.Strides,
    "ulyssesTensor_t": library.TensorStruct,
    "ulyssesSplit_t": library.SplitStruct,
    "ulyssesLocalTensor_t": attention_library.LocalTensor,
    "ulyssesLocalAttention_t": attention_library.LocalAttention,
    "ulyssesAttentionOptions_t": attention_library.Options,
    "ulyssesAttentionTensor_t": attention_library.AttentionTensor,
    "ulyssesAttentionTensors_t": attention_library.Tensors,
    "ulyssesAttentionStats_t": attention_library.Stats,
}


def test_structs_are_those_of_the_header(tmp_path):
    lines, expected = [], []
    for name, struct in STRUCTS.items():
        lines.append(f'printf("{name} %zu\\n", sizeof({name}));')
        expected.append(f"{name} {ctypes.sizeof(struct)}")
        for field, *_ in struct._fields_:
            lines.append(f'printf("{name}.{field} %zu\\n", offsetof({name}, {field}));')
            expected.append(f"{name}.{field} {getattr(struct, field).offset}")
    source = tmp_path / "sizes.c"
    source.write_text("#include <stdio.h>\n#include <ulysses_attention.h>\nint main(void) {" + "\n".join(lines) + "}\n")
    program = tmp_path / "sizes"
    subprocess.run(["cc", "-std=c11", f"-I{INCLUDE}", source, "-o", program], check=True)
    assert subprocess.run([program], check=True, capture_output=True, text=True).stdout.split("\n")[:-1] == expected


def test_results_have_their_classes():
    header = (INCLUDE / "ulysses_coll.h").read_text()
    for number, cls in library.CLASSES.items():
        name = cls.__name__.removesuffix("Error")
        assert any(f"ulysses{word} = {number}" in header for word in (name, name + "Error"))
