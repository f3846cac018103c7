import { boolean, string } from '../option.js';
import { defineSection, type SectionValues } from '../section.js';

const served = ['images', 'tickets', 'sessions', 'info', 'transfer'];

export const docsSection = defineSection({
  name: 'docs',
  description: 'The API documentation in the browser (Swagger UI).',
  options: {
    enable: boolean('enable', {
      default: { daemon: false, proxy: true },
      description: 'Serve it on the remote listener. Clients meet the proxy; a host has no need to show it.',
    }),
    path: string('path', {
      default: '/docs',
      check: checkPath,
      description: 'Where it is served.',
    }),
  },
});

export type DocsConfig = SectionValues<typeof docsSection>;

function checkPath(path: string): string | undefined {
  if (!/^(\/[A-Za-z0-9_-]+)+$/.test(path)) {
    return 'expected a path such as /docs, of letters, digits, "-", "_" and "/", not ending in "/"';
  }
  const first = path.split('/')[1] ?? '';
  return served.includes(first) ? `/${first} is a route of the service` : undefined;
}
