// The operator's own applications for these tests, written into a folder that EVERGRANT_CATALOG_DIR names. Addresses
// differ from run to run, so the files are made, not kept.
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

/** @param {string} origin where oidc-provider listens */
const oidcLab = (origin) => `# oidc-provider, as an operator would describe it.
slug = "oidc-lab"
name = "OIDC Lab"
description = "A certified OAuth server, for tests"
tags = ["Test"]

[api]
base_url = "${origin}"

[lifetimes]
rotation = "always"

[oauth2]
authorization_url = "${origin}/auth"
token_url = "${origin}/token"
revocation_url = "${origin}/token/revocation"
issuer = "${origin}"
scopes = ["openid", "offline_access"]
client_authentication = "basic"
authorization_params = { prompt = "consent" } # without it the server ignores offline_access
placement = [{ kind = "bearer" }]
probe = { url = "/me" }
identity = { from = "probe", id = "/sub" }
`;

/** @param {string} origin where the keyed API listens */
const keyedLab = (origin) => `# A key-based API, as an operator would describe it.
slug = "keyed-lab"
name = "Keyed Lab"
description = "An API that gives out keys, for tests"
tags = ["Test"]

[api]
base_url = "${origin}"

[keybased]
input = [{ name = "api_key", label = "API key", type = "password", required = true, placeholder = "Key" }]
placement = [{ kind = "bearer", token = "{api_key}" }]
probe = { url = "/v1/me" }
identity = { from = "probe", id = "/id" }
`;

/**
 * Writes the files.
 * @param {string} folder
 * @param {{ oidc: string, keyed: string }} origins
 */
export async function writeCatalog(folder, { oidc, keyed }) {
  await mkdir(folder, { recursive: true });
  await writeFile(join(folder, 'oidc-lab.toml'), oidcLab(oidc));
  await writeFile(join(folder, 'keyed-lab.toml'), keyedLab(keyed));
}
