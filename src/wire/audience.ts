/**
 * Whom a route is for. One application has the routes of all listeners; which of them a request can reach is
 * decided by where it came in, never by what it asks for:
 * * `network`: clients of the remote and the local listener
 * * `relayed`: the same clients, where the image of their ticket is on another daemon
 * * `control`: those who may manage tickets
 */
export type Audience = 'network' | 'relayed' | 'control';

export const audiences: readonly Audience[] = ['network', 'relayed', 'control'];
