// The SDK as a team's TypeScript sees it: what is documented type-checks, and what is wrong does not.
import { Cobalt, Evergrant, EvergrantError, statusOf, takeReturn, type Application, type Status } from '@evergrant/js';

const evergrant = new Evergrant({ baseUrl: 'https://connect.example.com', token: 'st_x', getToken: async () => 'st_y', pollMs: 1, timeoutMs: 2 });
export const official: Evergrant = new Cobalt({ token: 'st_x' });

export async function documented(): Promise<void> {
  const connected: boolean = await evergrant.connect('slack');
  await evergrant.connect('twilio', { sid: 'AC', number: 1234567890, live: true });
  await evergrant.connect({ slug: 'shopify', type: 'oauth2', payload: { shop: 'x' }, signal: AbortSignal.timeout(1), timeoutMs: 3 });
  const gone: true = await evergrant.disconnect('slack', 'oauth2');
  const one: Application = await evergrant.getApp('slack');
  const all: Application[] = await evergrant.getApp();
  const again: Application[] = await evergrant.getApps({ signal: AbortSignal.timeout(1) });
  const details: Record<string, unknown> = await evergrant.getAccountDetails();
  const config: Record<string, unknown> = await evergrant.config({ slug: 'slack', config_id: 'c', labels: [] });
  const stop: () => void = evergrant.onStatusChange('slack', (status: Status, application, before) => {
    const words: string[] = [status, application.name, before];
    void words;
  }, { everyMs: 1000, onError: (error) => error.code satisfies string });
  stop();
  const back = takeReturn();
  const outcome: 'connected' | 'denied' | 'failed' | undefined = back?.outcome;
  void [connected, gone, statusOf(one) satisfies 'none' | 'active' | 'expired', all, again, details, config, outcome];
  const identifier: unknown = one.connected_accounts?.[0]?.identifier;
  const fields = one.auth_type_options.keybased?.map(({ name, label, required }) => [name, label, required] satisfies [string, string, boolean]);
  void [identifier, fields];
}

export function errors(error: unknown): string {
  if (!(error instanceof EvergrantError)) throw error;
  const status: number | undefined = error.status;
  const request: string | undefined = error.requestId;
  void [status, request];
  return `${error.code}: ${error.message}`;
}

export function refused(): void {
  // @ts-expect-error a client needs options
  new Evergrant();
  // @ts-expect-error an application needs its slug
  void evergrant.connect({ type: 'oauth2' });
  // @ts-expect-error there are two auth types
  void evergrant.connect({ slug: 'slack', type: 'saml' });
  // @ts-expect-error values are texts, numbers and booleans
  void evergrant.connect('slack', { nested: {} });
  // @ts-expect-error one application is no list
  void evergrant.getApp('slack').then((one: Application[]) => one);
  // @ts-expect-error there is no such state
  const never: Status = 'broken';
  void never;
}
