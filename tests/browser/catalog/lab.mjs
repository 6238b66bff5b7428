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

/**
 * A key-based API, as an operator would describe it. Without more, nobody can check a key of it.
 * @param {{ slug: string, name: string, description: string, tag: string, base: string }} application
 */
const keyedApp = ({ slug, name, description, tag, base }) => `slug = "${slug}"
name = "${name}"
description = "${description}"
tags = ["${tag}"]

[api]
base_url = "${base}"

[keybased]
input = [{ name = "api_key", label = "API key", type = "password", required = true, placeholder = "Key" }]
placement = [{ kind = "bearer", token = "{api_key}" }]
`;

/** @param {string} base where the keyed API listens */
const keyedLab = (base) => `${keyedApp({ slug: 'keyed-lab', name: 'Keyed Lab', description: 'An API that gives out keys, for tests', tag: 'Test', base })}\
probe = { url = "/v1/me" }
identity = { from = "probe", id = "/id" }
`;

/** Both ways in, with names as long as they come. @param {string} origin @param {string} keyed */
const bothLab = (origin, keyed) => `# An application that takes either, with more to ask and to say than most.
slug = "both-lab"
auth_type = "oauth2"
name = "Customer Relationship & Kraftfahrzeughaftpflichtversicherung Suite"
description = "Documents, contacts and calendars of a whole company in one place, for teams of every size. Connect it by signing in, or with a key that an administrator has made."
tags = ["Customer relationship management", "Test"]
help = "Only administrators can make keys: Settings, Security, API access."

[api]
base_url = "${keyed}"

[oauth2]
authorization_url = "${origin}/auth"
token_url = "${origin}/token"
scopes = ["openid", "offline_access"]
client_authentication = "basic"
placement = [{ kind = "bearer" }]

[keybased]
input = [
  { name = "api_key", label = "Secret key", type = "password", required = true, placeholder = "sk_…", help_text = "Begins with sk_ and is shown once." },
  { name = "region", label = "Region", type = "select", required = true, secret = false, options = [{ name = "Europe", value = "eu" }, { name = "North America", value = "us" }] },
  { name = "note", label = "Note", type = "textarea", required = false, secret = false },
  { name = "sandbox", label = "This is a sandbox", type = "boolean", required = false, secret = false },
]
placement = [{ kind = "bearer", token = "{api_key}" }]
probe = { url = "/v1/me" }
identity = { from = "probe", id = "/id" }
`;

const CROWD = [
  'Amber Books', 'Birch Mail', 'Cedar Tickets', 'Delta Invoices', 'Ember Forms', 'Fjord Files', 'Grove Chat', 'Harbour Payroll',
  'Indigo Surveys', 'Juniper Calendar', 'Kelp Analytics', 'Larch Helpdesk', 'Maple Shop', 'Nimbus Backup', 'Otter Contracts', 'Poplar CRM',
];

/** A grant that ends in five days, whatever is done meanwhile. @param {string} origin */
const endingLab = (origin) => oidcLab(origin)
  .replace('slug = "oidc-lab"', 'slug = "ending-lab"')
  .replace('name = "OIDC Lab"', 'name = "Ending Lab"')
  .replace('rotation = "always"', 'rotation = "always"\ngrant = "5d"');

/** A key-based application as there are many. @param {string} name @param {string} base */
const oneOfMany = (name, base) => keyedApp({
  slug: name.toLowerCase().replace(' ', '-'), name, description: `${name}, for pictures of long lists`, tag: name.split(' ')[1] ?? '', base,
});

/**
 * The file of an API with a key that cannot be checked.
 * @param {string} folder @param {string} slug @param {string} base
 */
export async function writeKeyedApp(folder, slug, base) {
  await mkdir(folder, { recursive: true });
  await writeFile(join(folder, `${slug}.toml`), keyedApp({ slug, name: slug, description: 'An API with a key, for tests', tag: 'Test', base }));
}

/**
 * Writes the files; `many` of them for pictures.
 * @param {string} folder
 * @param {{ oidc: string, keyed: string, many?: boolean }} origins
 */
export async function writeCatalog(folder, { oidc, keyed, many }) {
  await mkdir(folder, { recursive: true });
  await writeFile(join(folder, 'oidc-lab.toml'), oidcLab(oidc));
  await writeFile(join(folder, 'keyed-lab.toml'), keyedLab(keyed));
  if (many) await writeFile(join(folder, 'ending-lab.toml'), endingLab(oidc));
  for (const name of many ? CROWD : []) {
    await writeFile(join(folder, `${name.toLowerCase().replace(' ', '-')}.toml`), oneOfMany(name, keyed));
  }
  await writeFile(join(folder, 'unchecked-lab.toml'), oneOfMany('Unchecked Lab', keyed));
  await writeFile(join(folder, 'both-lab.toml'), bothLab(oidc, keyed));
}
