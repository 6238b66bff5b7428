/** Ready React components over `@evergrant/js`. */
export { Application, type ApplicationProps } from './application.js';
/** The name that the official component has. */
export { Application as Config } from './application.js';
export { Applications, type ApplicationsProps } from './applications.js';
export { EvergrantProvider, useEvergrant, type EvergrantContext, type EvergrantProviderProps } from './provider.js';
export { ReconnectButton, type ReconnectButtonProps } from './reconnect-button.js';
export { english, type Texts } from './texts.js';
export { useApplication, type UseApplication } from './use-application.js';
