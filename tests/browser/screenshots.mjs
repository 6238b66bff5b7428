// Takes the pictures that the README shows, from a running demo: node screenshots.mjs [FOLDER]
//
// The demo prints its addresses; each becomes one picture, in light and in dark.
import { once } from 'node:events';
import { spawn } from 'node:child_process';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { startBrowser } from './support/browser.mjs';
import { eventually, freePort } from './support/net.mjs';

const BINARY = process.env.EVERGRANT_BIN ?? fileURLToPath(new URL('../../target/debug/evergrant', import.meta.url));
const target = process.argv[2] ?? fileURLToPath(new URL('../../docs/images', import.meta.url));

/** A file name for an address: its path, or "home". @param {string} address */
const nameOf = (address) => new URL(address).pathname.split('/').filter(Boolean).join('-').replace(/[^\w-]/g, '_') || 'home';

const folder = await mkdtemp(join(tmpdir(), 'evergrant-demo-'));
const listen = `127.0.0.1:${await freePort()}`;
const demo = spawn(BINARY, ['demo'], {
  env: { PATH: process.env.PATH, EVERGRANT_LISTEN: listen, EVERGRANT_PUBLIC_URL: `http://${listen}`, EVERGRANT_DATA_DIR: folder },
  stdio: ['ignore', 'pipe', 'inherit'],
});
let printed = '';
demo.stdout.setEncoding('utf8').on('data', (text) => { printed += text; });
const exited = once(demo, 'exit');

const browser = await startBrowser();
try {
  await eventually('the demo', async () => {
    if (demo.exitCode !== null) throw new Error(`the demo ended with ${demo.exitCode}:\n${printed}`);
    return (await fetch(`http://${listen}/readyz`).catch(() => undefined))?.ok || undefined;
  }, 30_000);
  const addresses = await eventually('an address in what the demo prints', async () => {
    const found = new Set(printed.match(/http:\/\/(?:127\.0\.0\.1|localhost):\d+[^\s"'<>)]*(?<![.,;:])/g));
    return found.size > 0 ? [...found] : undefined;
  });
  await mkdir(target, { recursive: true });
  for (const colorScheme of /** @type {const} */ (['light', 'dark'])) {
    const page = await browser.newPage({ viewport: { width: 1200, height: 800 }, deviceScaleFactor: 2, colorScheme });
    for (const address of addresses) {
      const answer = await page.goto(address);
      if (!answer?.ok() || !/html/.test(answer.headers()['content-type'] ?? '')) continue; // an API address, say
      const path = join(target, `${nameOf(address)}-${colorScheme}.png`);
      await page.screenshot({ path, animations: 'disabled' });
      console.log(path);
    }
    await page.close();
  }
} finally {
  await browser.close();
  demo.kill('SIGTERM');
  await exited;
  await rm(folder, { recursive: true, force: true });
}
