"""Takes the OpenAPI document through eight generators of clients, as docs/clients.md lists them: `just generators`.

Prints what they warn of, and fails when one of them fails or when what it wrote does not compile.
"""

import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tools import node

HERE = Path(__file__).parent
DOCUMENT = node.ROOT / "docs/openapi.json"
TSC = "tsc --noEmit --strict --skipLibCheck --target es2022 --module esnext --moduleResolution bundler"
PYTHON = "python -m compileall -q"
DATAMODEL_CODEGEN = (
    "datamodel-codegen --input-file-type openapi --output-model-type pydantic_v2.BaseModel --formatters builtin"
)
OPENAPI_GENERATOR = "openapi-generator-cli generate -i {document} --global-property apiDocs=false,apiTests=false"

GENERATORS = {
    "openapi-generator": [
        f"{OPENAPI_GENERATOR} -g typescript-fetch -o {{out}}-ts",
        f"{TSC} {{out}}-ts/index.ts",
        f"{OPENAPI_GENERATOR} -g python -o {{out}}-python",
        f"{PYTHON} {{out}}-python",
        f"{OPENAPI_GENERATOR} -g go -o {{out}}-go",
    ],
    "openapi-typescript": ["openapi-typescript {document} -o {out}.d.ts", f"{TSC} {{out}}.d.ts"],
    "@hey-api/openapi-ts": [
        "openapi-ts -i {document} -o {out} -p @hey-api/typescript @hey-api/sdk zod",
        f"{TSC} {{out}}/index.ts {{out}}/zod.gen.ts",
    ],
    "orval": ["orval --input {document} --output {out}.ts --mode single --client fetch", f"{TSC} {{out}}.ts"],
    "swagger-typescript-api": [
        "swagger-typescript-api generate -p {document} -o {out} -n api.ts",
        f"{TSC} {{out}}/api.ts",
    ],
    "oazapfts": ["oazapfts {document} {out}.ts", f"{TSC} {{out}}.ts"],
    "openapi-python-client": [
        "openapi-python-client generate --path {document} --output-path {out} --meta none",
        f"{PYTHON} {{out}}",
    ],
    "datamodel-code-generator": [
        f"{DATAMODEL_CODEGEN} --input {{document}} --output {{out}}.py",
        "python {out}.py",
    ],
}


def main() -> None:
    node.install(HERE)
    environ = node.environ(HERE)
    with tempfile.TemporaryDirectory(prefix="lodestar-generators-") as folder, ThreadPoolExecutor(2) as pool:
        (Path(folder) / "node_modules").symlink_to(HERE / "node_modules")
        good = list(pool.map(lambda name: run(name, Path(folder), environ), GENERATORS))
    sys.exit(not all(good))


def run(name: str, folder: Path, environ: dict[str, str]) -> bool:
    """Whether a generator and all checks of what it wrote end well."""
    begin, lines, status = time.monotonic(), list[str](), 0
    for step in GENERATORS[name]:
        command = step.format(document=DOCUMENT, out=folder / name.strip("@").replace("/", "-")).split()
        ended = subprocess.run(  # noqa: S603 - our own words
            command, cwd=folder, env=environ, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False
        )
        said = ended.stdout.decode(errors="replace").splitlines()
        if (status := ended.returncode) != 0:
            lines += [f"   {step}", *said]
            break
        lines += [f"   {each}" for each in said if "warn" in each.lower()]
    print(f"-- {name}: {'FAILED' if status else 'ok'}, {time.monotonic() - begin:.0f} s", *lines, sep="\n", flush=True)
    return status == 0


if __name__ == "__main__":
    main()
