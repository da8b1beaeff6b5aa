"""The proofs of the console, in Chromium, on the vectors that the Python tests check too."""

from typing import Any

import msgspec
import pytest
from playwright.sync_api import Page, Route

from api.console.routes import STATIC
from tests.vectors.build import FOLDER

#: As much as anything needs WebCrypto: a page of this origin has it, one of the other has not.
SECURE, INSECURE = "http://localhost:1", "http://insecure.example"


def serve(page: Page, origin: str) -> None:
    """Answer the page's requests to `origin` from the files of the console and of the vectors: no service is needed."""

    def answer(route: Route) -> None:
        path = route.request.url.removeprefix(origin)
        if path == "/":
            route.fulfill(content_type="text/html", body="<!doctype html><title>vectors</title>")
        else:
            room, _, file = path.removeprefix("/").partition("/")
            kind = "application/json" if file.endswith(".json") else "text/javascript"
            route.fulfill(content_type=kind, body=({"static": STATIC, "vectors": FOLDER}[room] / file).read_bytes())

    page.route(f"{origin}/**", answer)
    page.goto(f"{origin}/")


@pytest.fixture
def watched_origins(watch: Any) -> None:
    watch.origins |= {SECURE, INSECURE}
    watch.tolerate("favicon")


@pytest.mark.usefixtures("watched_origins")
def test_every_vector_has_its_verdict_in_the_browser(page: Page) -> None:
    serve(page, SECURE)
    done = page.evaluate(
        """async () => {
          const { runVectors } = await import("/vectors/run.js");
          return runVectors({
            import: (module) => import(`/static/verify/${module}`),
            load: async (file) => (await fetch(`/vectors/${file}.json`)).json(),
          });
        }"""
    )
    assert done["failures"] == []
    cases = sum(text.count(b"\n{") for text in (path.read_bytes() for path in FOLDER.glob("*.json")))
    assert done["ran"] > cases > 400


_CHECK = """async ({ proof, key }) => {
  const { parseInclusionProof, checkInclusion, parsePublicKey, readCheckpoint, UnsupportedError } =
    await import("/static/verify/index.js");
  const attempts = {
    key: () => parsePublicKey(key),
    proof: async () => checkInclusion(await parseInclusionProof(proof)),
    checkpoint: async () => (await readCheckpoint(JSON.parse(proof).checkpoint)).signature.state,
  };
  const found = {};
  for (const [name, work] of Object.entries(attempts)) {
    found[name] = await work().catch((error) => (error instanceof UnsupportedError ? "unsupported" : String(error)));
  }
  return found;
}"""


@pytest.mark.usefixtures("watched_origins")
def test_a_page_without_webcrypto_says_so_and_verifies_nothing(page: Page) -> None:
    serve(page, INSECURE)
    vectors = msgspec.json.decode((FOLDER / "proof_files.json").read_bytes())
    given = {"proof": vectors["inclusion"][0]["text"], "key": vectors["public_key"]}
    assert page.evaluate("crypto.subtle === undefined")
    assert page.evaluate(_CHECK, given) == {"key": "unsupported", "proof": "unsupported", "checkpoint": "no-key"}


@pytest.mark.usefixtures("watched_origins")
def test_a_browser_without_ed25519_says_so_and_still_checks_hashes(page: Page) -> None:
    page.add_init_script(
        """const importKey = SubtleCrypto.prototype.importKey;
        SubtleCrypto.prototype.importKey = function (format, key, algorithm, ...rest) {
          if (algorithm.name === "Ed25519") {
            return Promise.reject(new DOMException("Unrecognized name.", "NotSupportedError"));
          }
          return importKey.call(this, format, key, algorithm, ...rest);
        };"""
    )
    serve(page, SECURE)
    vectors = msgspec.json.decode((FOLDER / "proof_files.json").read_bytes())
    found = page.evaluate(
        """async ({ proof, key }) => {
          const { parseInclusionProof, checkInclusion, parsePublicKey } = await import("/static/verify/index.js");
          const keys = [await parsePublicKey(key)];
          const { kind, signature } = await checkInclusion(await parseInclusionProof(proof), { keys });
          return [kind, signature.state, signature.reason];
        }""",
        {"proof": vectors["inclusion"][0]["text"], "key": vectors["public_key"]},
    )
    assert found[:2] == ["proven", "unsupported"]
    assert "does not support Ed25519" in found[2]
