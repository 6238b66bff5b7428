// What is measured of the processes and the database.
import { execFile } from 'node:child_process';
import { readFile, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';

/** @typedef {import('../support/evergrant.mjs').Evergrant} Evergrant */

/** Resident memory of a process in MiB. @param {Evergrant} node */
export async function memory(node) {
  const status = await readFile(`/proc/${node.child.pid}/status`, 'utf8').catch(() => '');
  return Number(/VmRSS:\s+(\d+) kB/.exec(status)?.[1] ?? NaN) / 1024;
}

/** How many files and sockets a process has open. @param {Evergrant} node */
export const files = async (node) => (await readdir(`/proc/${node.child.pid}/fd`)).length;

/** How many tasks lived when a process was asked to end, by its own log. @param {Evergrant} node */
export const tasks = (node) => Number(/stopping: .*?tasks=(\d+)/.exec(plain(node.log))?.[1] ?? NaN);

/** Without the colours of a terminal. @param {string} text */
// eslint-disable-next-line no-control-regex
const plain = (text) => text.replace(/\u001b\[[0-9;]*m/g, '');

const SQLITE = 'import sqlite3, sys\nrows = sqlite3.connect(sys.argv[1], timeout=10).execute(sys.argv[2])\nprint("\\n".join("|".join(map(str, row)) for row in rows))';

/** Asks the database itself. @param {Evergrant} node @param {string} sql @returns {Promise<string>} */
export async function ask(node, sql) {
  if (node.environment.EVERGRANT_DATABASE_URL) return node.psql(sql);
  const file = join(node.environment.EVERGRANT_DATA_DIR ?? '', 'evergrant.db');
  return (await promisify(execFile)('python3', ['-c', SQLITE, file, sql])).stdout.trim();
}

/** Connections to this PostgreSQL database, without the one that asks. @param {Evergrant} node */
export const sessions = async (node) => Number(await node.psql(
  'SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()',
));

/** Transactions that somebody has left open. @param {Evergrant} node */
export const forgotten = async (node) => Number(await node.psql(
  "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND state LIKE 'idle in transaction%' "
  + "AND state_change < now() - interval '10 seconds'",
));

/**
 * Whether memory is flat: the mean of the second half of what comes after the warm-up (the first quarter) is at most a twentieth
 * and 2 MiB above that of the first half.
 * @param {number[]} samples
 */
export function flat(samples) {
  const warm = samples.slice(Math.ceil(samples.length / 4)).filter((one) => !Number.isNaN(one));
  const mean = (/** @type {number[]} */ all) => all.reduce((sum, one) => sum + one, 0) / Math.max(all.length, 1);
  const half = Math.floor(warm.length / 2);
  const [first, second] = [mean(warm.slice(0, half)), mean(warm.slice(half))];
  return { first, second, ok: half > 0 && second <= first * 1.05 + 2 };
}
