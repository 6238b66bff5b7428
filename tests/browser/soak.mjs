// `make soak`: load with faults on, on the real binary; then it is judged by what the provider knows. See CONTRIBUTING.md.
//
// Two nodes on PostgreSQL, of which one is killed again and again; then one process on SQLite, killed once. Each part takes half
// of SOAK_MINUTES (10). Everything listens on loopback and ends with this process.
import { rmSync } from 'node:fs';
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Load } from './soak/load.mjs';
import { ask, files, flat, forgotten, memory, sessions, tasks } from './soak/measure.mjs';
import { APPS, CLIENT, startProvider, writeCatalog } from './soak/provider.mjs';
import { Evergrant } from './support/evergrant.mjs';
import { eventually } from './support/net.mjs';

/** @typedef {import('./soak/provider.mjs').Weather} Weather */

const MINUTES = Number(process.env.SOAK_MINUTES ?? 10);
const CUSTOMERS = Number(process.env.SOAK_CUSTOMERS ?? 60);
const WORKERS = Number(process.env.SOAK_WORKERS ?? 16);
/** How many more tasks than a fresh process one may have: one for each connection that callers and providers keep open. */
const KEPT = 24;
/** And how many more files: those, and a database pool that has filled. Hundreds of calls break off, so a leak shows far above. */
const POOL = 20;
const SAMPLE_MS = 5000;
const pause = (/** @type {number} */ ms) => new Promise((resolve) => { setTimeout(resolve, ms); });

/** Always a little of everything. @type {Partial<Weather>} */
const DRIZZLE = { slow: 0.1, lose: 0.01, withdraw: 0.004, hangUp: 0.01, apiDown: 0.01, throttle: 0.01 };
/** Ten seconds each, in turn. @type {[string, Partial<Weather>][]} */
const WEATHER = [
  ['drizzle', DRIZZLE],
  ['token endpoint down', { ...DRIZZLE, down: true }],
  ['drizzle', DRIZZLE],
  ['throttled', { ...DRIZZLE, throttle: 0.5 }],
  ['replies lost', { ...DRIZZLE, lose: 0.2 }],
  ['drizzle', DRIZZLE],
  ['slow', { ...DRIZZLE, slow: 1 }],
  ['tokens withdrawn', { ...DRIZZLE, withdraw: 0.05 }],
];

/** @type {Set<Evergrant>} */
const alive = new Set();
/** Folders that go with this process. @type {Set<string>} */
const folders = new Set();
process.on('exit', () => {
  for (const node of alive) node.child.kill('SIGKILL');
  for (const folder of folders) rmSync(folder, { recursive: true, force: true });
});
for (const signal of /** @type {const} */ (['SIGINT', 'SIGTERM'])) {
  process.on(signal, () => {
    console.log('\nsoak: interrupted; everything has been ended');
    process.exit(130);
  });
}

/** Takes note of a process, so that it ends with this one. @param {Evergrant} node */
function note(node) {
  alive.add(node);
  folders.add(node.environment.EVERGRANT_DATA_DIR ?? '');
}

/** @type {string[]} */
const failures = [];
/** @param {boolean} good @param {string} what */
function judge(good, what) {
  console.log(`  ${good ? 'ok  ' : 'FAIL'} ${what}`);
  if (!good) failures.push(what);
}

/** The processes of one part. */
class Stand {
  /** @type {Evergrant[]} */
  nodes = [];

  /** @param {Evergrant} first */
  constructor(first) {
    this.first = first;
    this.nodes.push(first);
    note(first);
    /** On SQLite the next process goes on with the same file. */
    this.shared = first.environment.EVERGRANT_DATABASE_URL ? {} : { EVERGRANT_DATA_DIR: first.environment.EVERGRANT_DATA_DIR };
  }

  async add() {
    const node = await this.first.another(this.shared);
    note(node);
    this.nodes.push(node);
    return node;
  }

  /** Kills the last one, and starts another in its place. @param {() => void} tell */
  async kill(tell) {
    const victim = this.nodes.pop();
    if (!victim) return;
    await victim.crash();
    tell();
    alive.delete(victim);
    if (victim !== this.first) await victim.cleanUp();
    await this.add();
  }

  /** Asks all to end; says how many tasks each had. */
  async end() {
    const counts = [];
    for (const node of this.nodes.splice(0)) {
      node.child.kill('SIGTERM');
      const [code] = await node.exited;
      alive.delete(node);
      counts.push(tasks(node));
      if (code !== 0) failures.push(`a process ended with ${code}: ${node.log.slice(-2000)}`);
      if (node !== this.first) await node.cleanUp();
    }
    return counts;
  }
}

/** @param {import('./support/evergrant.mjs').Engine} engine @param {number} minutes */
async function part(engine, minutes) {
  const two = engine === 'postgres';
  console.log(`\n${two ? 'two nodes on PostgreSQL' : 'one process on SQLite'}, ${minutes} min, ${CUSTOMERS * APPS.length} connections, ${WORKERS} callers`);
  const provider = await startProvider();
  const catalog = await mkdtemp(join(tmpdir(), 'evergrant-soak-'));
  folders.add(catalog);
  await writeCatalog(catalog, provider.origin);
  const first = await Evergrant.start({
    engine, egressAllow: [provider.authority], catalog,
    more: { EVERGRANT_RATE_LIMIT: '0', EVERGRANT_LOG: 'warn,evergrant::cli::serve=info' },
  });
  const stand = new Stand(first);
  try {
    for (const app of APPS) await first.setClient(app, CLIENT);
    const before = await baseline(stand);
    if (two) await stand.add();
    const load = new Load(stand.nodes, provider);
    await load.fill(CUSTOMERS);
    const samples = await rain(stand, load, { provider, minutes, two });
    await verdict(stand, load, { provider, samples, before, two });
  } finally {
    for (const node of stand.nodes) await node.crash();
    for (const node of stand.nodes) alive.delete(node);
    await provider.close();
    await first.cleanUp();
  }
}

/** What a process has that has nothing to do: another one, started for it and ended. @param {Stand} stand */
async function baseline(stand) {
  const open = await files(stand.first);
  const probe = await stand.first.another(stand.shared);
  note(probe);
  probe.child.kill('SIGTERM');
  await probe.exited;
  alive.delete(probe);
  await probe.cleanUp();
  return { files: open, tasks: tasks(probe) };
}

/**
 * The load, under changing weather; what comes back are samples of the memory of the process that lives longest.
 * @param {Stand} stand @param {Load} load
 * @param {{ provider: Awaited<ReturnType<typeof startProvider>>, minutes: number, two: boolean }} how
 */
async function rain(stand, load, { provider, minutes, two }) {
  const rest = load.start(WORKERS);
  const [began, length] = [Date.now(), minutes * 60_000];
  const killEvery = two ? Math.min(45_000, length / 4) : Infinity;
  let nextKill = two ? began + killEvery : began + length * 0.1;
  let kills = 0;
  const samples = [];
  for (let round = 0; Date.now() - began < length; round += 1) {
    const [name, weather] = /** @type {[string, Partial<Weather>]} */ (WEATHER[Math.floor(round / 2) % WEATHER.length]);
    provider.setWeather(weather);
    provider.tidy();
    if (Date.now() >= nextKill) {
      await stand.kill(() => provider.nodeKilled());
      nextKill = Date.now() + killEvery;
      kills += 1;
      if (!two) samples.length = 0;
    }
    await pause(SAMPLE_MS);
    samples.push(await memory(/** @type {Evergrant} */ (stand.nodes[0])));
    const { refreshes, lost, faults, calls } = provider.counts;
    if (round % 2 === 0) {
      console.log(`  ${String(Math.round((Date.now() - began) / 1000)).padStart(4)} s  ${name.padEnd(20)} ${Math.round(samples.at(-1) ?? 0)} MiB  `
        + `${calls} calls, ${refreshes} refreshes, ${lost} replies lost, ${faults} refused, ${kills} kills`);
    }
  }
  provider.setWeather({});
  await rest();
  console.log(`  load over: ${JSON.stringify(load.changes)}, ${kills} kills, ${provider.counts.withdrawn} tokens withdrawn`);
  console.log(`  answers: ${[...load.seen].sort().map(([name, count]) => `${name}: ${count}`).join(', ')}`);
  return samples;
}

/** @param {Stand} stand */
const leases = async (stand) => Number(await ask(/** @type {Evergrant} */ (stand.nodes[0]), 'SELECT count(*) FROM connections WHERE lease_until IS NOT NULL'));

/**
 * @param {Stand} stand @param {Load} load
 * @param {{ provider: Awaited<ReturnType<typeof startProvider>>, samples: number[], before: { files: number, tasks: number }, two: boolean }} known
 */
async function verdict(stand, load, { provider, samples, before, two }) {
  const [node] = /** @type {[Evergrant]} */ (stand.nodes);
  const connected = load.slots.filter(({ id }) => id);
  const living = connected.filter(({ grant }) => grant && !grant.end);
  // Nobody has asked for anything: what is flagged was flagged under load.
  const early = await states(node, living);
  judge(early.every(({ status }) => status === 'active'), `none of ${living.length} live grants is flagged ${wrongOnes(early, 'active')}`);
  // A killed node's leases lapse after a minute; the next use or sweep takes them over.
  for (const { id } of connected) await load.ask('POST', `/api/v2/public/connection/${id}/check`, { kind: 'last check' });
  await eventually('no lease is left', async () => await leases(stand) === 0 || undefined, 150_000).catch(() => {});
  judge(await leases(stand) === 0, 'no lease is left');
  // The refusal of a token younger than a minute that has never worked is not believed yet.
  for (let tries = 0; tries < 8; tries += 1) {
    const rest = (await states(node, connected.filter(({ grant }) => grant?.end))).filter(({ status }) => status !== 'reauth_required');
    if (rest.length === 0) break;
    await pause(10_000);
    for (const { id } of connected) await load.ask('POST', `/api/v2/public/connection/${id}/check`, { kind: 'last check' });
  }
  const stillLiving = connected.filter(({ grant }) => grant && !grant.end);
  const dead = connected.filter(({ grant }) => grant?.end);
  const late = await states(node, stillLiving);
  judge(late.every(({ status }) => status === 'active'), `all ${stillLiving.length} grants that live work ${wrongOnes(late, 'active')}`);
  const flagged = await states(node, dead);
  judge(flagged.every(({ status }) => status === 'reauth_required'),
    `all ${dead.length} dead grants are flagged ${wrongOnes(flagged, 'reauth_required')}`);
  const reuse = dead.filter(({ grant }) => grant?.end === 'reuse').length;
  console.log(`       (${reuse} of the dead died of a lost reply at the provider that forgives nothing)`);
  judge(provider.offences.length === 0, `no refresh token was used twice without need, nor two at once ${provider.offences.slice(0, 3).join('; ')}`);
  judge(load.wrong.length === 0, `no answer was wrong ${[...new Set(load.wrong)].slice(0, 5).join('; ')}`);
  const { first, second, ok } = flat(samples);
  judge(ok, `memory is flat: ${first.toFixed(1)} MiB, then ${second.toFixed(1)} MiB (halves after the first quarter; at most 10 % + 8 MiB more)`);
  await pause(35_000); // connections to providers are kept for 30 s
  for (const one of stand.nodes) {
    const open = await files(one);
    judge(open <= before.files + KEPT + POOL, `open files: ${open}, fresh ${before.files} (at most ${KEPT + POOL} more)`);
  }
  if (two) judge(await forgotten(node) === 0, 'no transaction was left open');
  const counts = await stand.end();
  for (const count of counts) judge(count <= before.tasks + KEPT, `tasks alive at the end: ${count}, fresh ${before.tasks} (at most ${KEPT} more)`);
  if (two) {
    const left = await eventually('no database connection is left', async () => (await sessions(node) === 0 ? 0 : undefined)).catch(() => sessions(node));
    judge(left === 0, `database connections left: ${left}`);
  }
}

/** @param {Evergrant} node @param {import('./soak/load.mjs').Slot[]} slots */
async function states(node, slots) {
  const seen = [];
  for (const slot of slots) {
    const { status, reason, evidence, trouble } = await node.api('GET', `/api/v2/public/connection/${slot.id}`);
    seen.push({ status, about: `${slot.app} ${slot.grant?.id} ${slot.grant?.end} ${status} ${reason} ${JSON.stringify(evidence ?? trouble)}` });
  }
  return seen;
}

/** @param {{ status: string, about: string }[]} all @param {string} right */
const wrongOnes = (all, right) => all.filter(({ status }) => status !== right).slice(0, 3).map(({ about }) => about).join('; ');

const engines = /** @type {import('./support/evergrant.mjs').Engine[]} */ ((process.env.SOAK_ENGINES ?? 'postgres,sqlite').split(','));
for (const engine of engines) await part(engine, MINUTES / engines.length);
console.log(failures.length ? `\nsoak: FAILED\n${failures.map((one) => `  ${one}`).join('\n')}` : '\nsoak: passed');
process.exit(failures.length ? 1 : 0);
