// The components as a team's TypeScript sees them, the props of the official `Config` component among them.
import {
  Application, Applications, Config, EvergrantProvider, ReconnectButton, english, useApplication, type Texts, type UseApplication,
} from '@evergrant/react';
import type { ReactNode } from 'react';

const german: Partial<Texts> = { connect: 'Verbinden', reconnect: english.reconnect };

function Own(): ReactNode {
  const app: UseApplication = useApplication('slack');
  const { status, busy, outcome, error } = app;
  const shown: (string | undefined)[] = [status, busy, outcome, error?.code, app.application?.name];
  const press = async (): Promise<boolean> => (await app.connect({ shop: 'x' }, 'oauth2')) && app.disconnect('keybased');
  return <button type="button" onClick={() => { void press(); void app.refresh(); }}>{shown.join()}</button>;
}

export const page: ReactNode = (
  <EvergrantProvider baseUrl="https://connect.example.com" sessionToken="st_x" getToken={() => 'st_y'} texts={german} theme="dark" unstyled>
    <Applications style={{ margin: 1 }} onSelect={(slug) => slug.toUpperCase()} />
    <Application slug="slack" heading={3} />
    <Config slug="slack" id="config-1" labels={[{ name: 'a', value: 'b' }]} style={{ maxWidth: '30rem' }} />
    <ReconnectButton slug="slack" onReconnected={() => {}}>Again</ReconnectButton>
    <Own />
  </EvergrantProvider>
);

export const wrong: ReactNode[] = [
  // @ts-expect-error it must be known where Evergrant is
  <EvergrantProvider key={1} sessionToken="st_x" />,
  // @ts-expect-error one application is meant
  <Application key={2} />,
  // @ts-expect-error there are three themes
  <EvergrantProvider key={3} baseUrl="x" theme="blue" />,
];
