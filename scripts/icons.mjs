// Makes crates/evergrant/assets/icons.json, the marks and colours of the built-in applications' icons:
//   npm install --no-save --ignore-scripts --prefix /tmp/icons simple-icons@16.37.0
//   node scripts/icons.mjs /tmp/icons/node_modules/simple-icons
//
// simple-icons is CC0-1.0. A brand that is not in it (any more) gets a tile with its letter, in its colour where that is
// common knowledge. Marks belong to their owners; see simple-icons' DISCLAIMER.md.
import { readFile, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

/** Our slug and the brand's name, as the catalogue's own files have them. */
const CATALOG = new URL('../catalog/', import.meta.url);
const files = (await readdir(CATALOG)).filter((file) => file.endsWith('.toml') && !file.startsWith('sandbox-')).sort();
const brands = await Promise.all(files.map(async (file) => {
  const [, name = ''] = /^name = "(.+)"$/m.exec(await readFile(new URL(file, CATALOG), 'utf8')) ?? [];
  return [file.replace('.toml', ''), name];
}));
/** Colours of brands without a mark there. */
const COLOURS = { salesforce: '00A1E0', slack: '4A154B', twilio: 'F22F46' };

const folder = process.argv[2];
if (!folder) throw new Error('usage: node scripts/icons.mjs FOLDER_OF_SIMPLE_ICONS');
const { version, license } = JSON.parse(await readFile(join(folder, 'package.json'), 'utf8'));
if (license !== 'CC0-1.0') throw new Error(`simple-icons ${version} is ${license}, not CC0-1.0`);
const known = Object.values(await import(pathToFileURL(join(folder, 'index.mjs')).href));
const icons = {};
for (const [slug, title] of brands) {
  const found = known.find((icon) => icon.title === title);
  const colour = found?.hex ?? COLOURS[slug];
  if (colour) icons[slug] = { colour: `#${colour.toLowerCase()}`, ...(found && { path: found.path }) };
}
const notice = `Marks from simple-icons ${version} (CC0-1.0), made by scripts/icons.mjs; they belong to their owners.`;
const target = new URL('../crates/evergrant/assets/icons.json', import.meta.url);
await writeFile(target, `${JSON.stringify({ notice, icons }, null, 1)}\n`);
console.log(Object.entries(icons).map(([slug, icon]) => `${slug}: ${icon.path ? 'mark' : 'letter'} ${icon.colour}`).join('\n'));
