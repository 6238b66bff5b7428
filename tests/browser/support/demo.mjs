// `evergrant demo` as a child process, and its page as a newcomer's clicks.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { access, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { eventually, freePort } from './net.mjs';

const BINARY = process.env.EVERGRANT_BIN ?? fileURLToPath(new URL('../../../target/debug/evergrant', import.meta.url));

/** @typedef {import('playwright-core').Page} Page */

/** One running demo. */
export class Demo {
  /** What it wrote to the terminal. */
  printed = '';

  /** The address that it prints for the newcomer to open. */
  page = '';

  /** @param {{ listen: string, folder: string, cleanUp: () => Promise<void> }} given */
  constructor({ listen, folder, cleanUp }) {
    this.listen = listen;
    this.folder = folder;
    this.cleanUp = cleanUp;
    this.child = spawn(BINARY, ['demo'], {
      env: { PATH: process.env.PATH, RUST_BACKTRACE: '1', EVERGRANT_LISTEN: listen, EVERGRANT_DATA_DIR: folder },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    for (const stream of [this.child.stdout, this.child.stderr]) {
      stream.setEncoding('utf8').on('data', (text) => { this.printed += text; });
    }
    this.exited = once(this.child, 'exit');
    this.exited.catch(() => {}); // spawn errors surface in `start`
  }

  /**
   * Starts one, as `make demo` does once it is built; by default on free ports and in a folder of its own.
   * @param {{ listen?: string, folder?: string }} [options]
   */
  static async start({ listen, folder } = {}) {
    await access(BINARY).catch(() => assert.fail(`no binary at ${BINARY}; run: make build`));
    const own = folder ?? await mkdtemp(join(tmpdir(), 'evergrant-demo-'));
    const demo = new Demo({
      listen: listen ?? `127.0.0.1:${await freePort()}`,
      folder: own,
      cleanUp: async () => { if (!folder) await rm(own, { recursive: true, force: true }); },
    });
    try {
      demo.page = await eventually('the address to open', async () => {
        if (demo.child.exitCode !== null) throw new Error(`the demo ended with ${demo.child.exitCode}:\n${demo.printed}`);
        return demo.printed.match(/Open +(http:\/\/\S+)/)?.[1];
      });
    } catch (error) {
      demo.child.kill('SIGKILL');
      await demo.cleanUp();
      throw error;
    }
    return demo;
  }

  /** Ctrl-C; returns the milliseconds it took. Anything but exit code 0 is a failure. */
  async stop() {
    const asked = Date.now();
    this.child.kill('SIGINT');
    const [code, signal] = await this.exited;
    await this.cleanUp();
    assert.deepEqual({ code, signal }, { code: 0, signal: null }, `the demo did not end cleanly:\n${this.printed}`);
    return Date.now() - asked;
  }
}

/** One application's card on the page. */
export class Card {
  /** @param {Page} page @param {'sandbox-oauth' | 'sandbox-key'} slug */
  constructor(page, slug) {
    this.page = page;
    this.slug = slug;
    this.root = page.locator(`article[data-slug="${slug}"]`);
  }

  /** @param {string} name */
  press(name) { return this.root.getByRole('button', { name, exact: true }).click(); }

  /** Waits until the card says something. @param {string | RegExp} text */
  says(text) { return this.root.getByText(text).first().waitFor(); }

  /** Waits until the card shows a state of the connection. @param {'none' | 'active' | 'degraded' | 'expired'} state */
  async shows(state) { await this.page.locator(`article[data-slug="${this.slug}"][data-state="${state}"]`).waitFor(); }

  /** The id of the connection. */
  async id() { return await this.root.locator('dl code').first().innerText(); }

  /** Presses a button and returns the window that it opens. @param {string} name */
  async popup(name) {
    const [popup] = await Promise.all([this.page.waitForEvent('popup'), this.press(name)]);
    await popup.getByRole('button', { name: 'Allow' }).waitFor();
    return popup;
  }

  /** Consents to everything that is offered. @param {'Connect' | 'Reconnect'} name */
  async consent(name) {
    const popup = await this.popup(name);
    await popup.getByRole('button', { name: 'Allow' }).click();
    await this.says('Connected.');
  }

  /** Sends the key that the form holds. @param {'Connect' | 'Reconnect'} name */
  async sendKey(name) {
    await this.press(name);
    await this.page.getByRole('dialog').getByRole('button', { name: 'Connect' }).click();
    await this.says('Connected.');
  }

  /** Presses a red button. @param {string} cause */
  async break(cause) {
    await this.root.locator(`[data-cause="${cause}"]`).click();
    await this.says('Broken at the provider');
  }

  /** The curl line below a red button, as it is printed. @param {string} cause */
  curlLine(cause) {
    return this.root.locator('li', { has: this.page.locator(`[data-cause="${cause}"]`) }).locator('.curl code').innerText();
  }

  /** Presses "Use it now", and waits for the flag with its reason. @param {string} reason */
  async isFlagged(reason) {
    await this.press('Use it now');
    await this.shows('expired');
    await this.root.locator('dd code', { hasText: /^reauth_required$/ }).waitFor();
    await this.root.locator('dd code', { hasText: new RegExp(`^${reason}$`) }).waitFor();
  }
}

/**
 * Waits until the page lists so many webhooks of an event of an application, all with the mark "signature verified".
 * @param {Page} page
 * @param {{ event: string, slug: string, count: number }} wanted
 */
export async function webhooksShown(page, { event, slug, count }) {
  const rows = page.locator(`#webhooks li[data-event="${event}"]`, { hasText: slug });
  await eventually(`${count} rows of ${event} for ${slug}`, async () => (await rows.count()) === count || undefined);
  assert.equal(await rows.filter({ hasText: '✓ signature verified' }).count(), count, `${event} of ${slug}: verified`);
}
