// Debian's Chromium, headless. It talks to loopback only, and nothing here intercepts requests: interception would
// hide preflights and with them every CORS fault.
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { chromium } from 'playwright-core';

const FLAGS = [
  '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
  '--disable-component-update', '--disable-sync',
  '--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE localhost , EXCLUDE 127.0.0.1',
];
const OPTIONS = { executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium', headless: true, args: FLAGS };

/**
 * Starts the browser; each context of it is a person's browser of its own. Windows that no click has asked for are blocked,
 * as in everybody's browser, where `blocksPopups` is set.
 * @param {{ blocksPopups?: boolean }} [options]
 */
export function startBrowser({ blocksPopups = false } = {}) {
  return chromium.launch({ ...OPTIONS, ...(blocksPopups && { ignoreDefaultArgs: ['--disable-popup-blocking'] }) });
}

/** A browser whose owner blocks all cookies, and with them every kind of storage. */
export async function startWithoutStorage() {
  const profile = await mkdtemp(join(tmpdir(), 'evergrant-profile-'));
  await mkdir(join(profile, 'Default'), { recursive: true });
  const settings = { profile: { default_content_setting_values: { cookies: 2 } } };
  await writeFile(join(profile, 'Default', 'Preferences'), JSON.stringify(settings));
  const context = await chromium.launchPersistentContext(profile, OPTIONS);
  return {
    context,
    close: async () => {
      await context.close();
      await rm(profile, { recursive: true, force: true });
    },
  };
}
