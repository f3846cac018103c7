import { createReadStream } from 'node:fs';
import { createRequire } from 'node:module';
import type { OpenAPIObject } from '@nestjs/swagger';
import type { FastifyInstance, FastifyReply } from 'fastify';
import type { Audience } from '../wire/audience.js';

const require = createRequire(import.meta.url);

const served = { constraints: { audience: 'network' satisfies Audience } };

/** The committed contracts, by name. */
export const contractNames = ['proxy', 'daemon', 'control'] as const;

/** What the page is made of, beside our own few lines. */
const assets: Readonly<Record<string, string>> = {
  'swagger-ui.css': 'text/css; charset=utf-8',
  'swagger-ui-bundle.js': 'text/javascript; charset=utf-8',
  'swagger-ui-standalone-preset.js': 'text/javascript; charset=utf-8',
  'favicon-32x32.png': 'image/png',
};

// The one style that Swagger UI writes into the page: the colours of its logo.
const logoStyle = "'sha256-RL3ie0nH+Lzz2YNqQN83mnU0J1ot4QL7b99vMdIX99w='";

const headers = {
  // No other inline script or style, nothing from elsewhere, no framing; requests that are tried out may go
  // to daemons of other hosts.
  'Content-Security-Policy':
    `default-src 'none'; script-src 'self'; style-src 'self' ${logoStyle}; img-src 'self' data:; ` +
    `connect-src 'self' https:; ` +
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
  'X-Content-Type-Options': 'nosniff',
  'Referrer-Policy': 'no-referrer',
};

/**
 * Mounts Swagger UI with all contracts in one selector. To be called before the application is initialised.
 * Everything comes from this package: it works on hosts without internet, and under a strict
 * Content-Security-Policy.
 * @param own the contract of the application itself, which is tried out where the page came from
 */
export function mountSwaggerUi(
  adapter: { getInstance(): FastifyInstance },
  path: string,
  own: 'daemon' | 'proxy',
): void {
  const fastify = adapter.getInstance();
  for (const name of contractNames) {
    // Read when it is asked for: most processes never are, and should not hold 400 KiB of JSON for it.
    fastify.get(`${path}/${name}.json`, served, async (_request, reply) =>
      reply.headers(headers).send(servedContract(name, own)),
    );
  }
  for (const [file, type] of Object.entries(assets)) {
    const location = require.resolve(`swagger-ui-dist/${file}`);
    fastify.get(`${path}/${file}`, served, async (_request, reply) =>
      sendAsset(reply, type, createReadStream(location)),
    );
  }
  fastify.get(`${path}/start.js`, served, async (_request, reply) =>
    sendAsset(reply, 'text/javascript; charset=utf-8', startScript(path, own)),
  );
  fastify.get(path, served, async (_request, reply) =>
    sendAsset(reply, 'text/html; charset=utf-8', page(path)),
  );
}

function servedContract(name: string, own: string): OpenAPIObject {
  const contract = require(`ovirt-imageio/openapi/${name}.json`) as OpenAPIObject;
  if (name !== own) return contract;
  return { ...contract, servers: [{ url: '/', description: 'This service' }, ...(contract.servers ?? [])] };
}

async function sendAsset(reply: FastifyReply, type: string, body: unknown): Promise<FastifyReply> {
  return reply.headers(headers).type(type).send(body);
}

function page(path: string): string {
  return `<!doctype html>
<html lang="en">
  <head>
    <meta charset="utf-8">
    <title>ovirt-imageio</title>
    <link rel="stylesheet" href="${path}/swagger-ui.css">
    <link rel="icon" type="image/png" href="${path}/favicon-32x32.png">
  </head>
  <body>
    <div id="swagger-ui"></div>
    <script src="${path}/swagger-ui-bundle.js"></script>
    <script src="${path}/swagger-ui-standalone-preset.js"></script>
    <script src="${path}/start.js"></script>
  </body>
</html>
`;
}

/** @param own the contract that the page opens with: readers came to this service */
function startScript(path: string, own: string): string {
  const names = [own, ...contractNames.filter((name) => name !== own)];
  const options = {
    urls: names.map((name) => ({ name, url: contractUrl(path, name) })),
    dom_id: '#swagger-ui',
    deepLinking: true,
    layout: 'StandaloneLayout',
    // It would be asked over the internet.
    validatorUrl: null,
    // Signed tickets and sessions are secrets: they end with the page.
    persistAuthorization: false,
  };
  return `${plugins(contractUrl(path, 'control'))}
SwaggerUIBundle({
  ...${JSON.stringify(options)},
  plugins: [onlyReachable, shortRefusals],
  presets: [SwaggerUIBundle.presets.apis, SwaggerUIStandalonePreset],
});
`;
}

/**
 * What the page does otherwise than Swagger UI by itself. The control service listens where no browser
 * comes, so its operations have no button to try them out. Refusals are a line each until they are opened:
 * an operation has a dozen, all of one form, which made it 6,000 pixels high.
 */
function plugins(unreachableUrl: string): string {
  return `const onlyReachable = () => ({
  statePlugins: {
    spec: {
      wrapSelectors: {
        allowTryItOutFor: (allow, { specSelectors }) => (...operation) =>
          specSelectors.url() !== ${JSON.stringify(unreachableUrl)} && allow(...operation),
      },
    },
  },
});
const shortRefusals = ({ React: { createElement, useState } }) => ({
  wrapComponents: {
    response: (Response) => (properties) => {
      const [isOpen, open] = useState(false);
      const { code, response, getComponent } = properties;
      if (isOpen || code < 400) return createElement(Response, properties);
      const cell = (column, content) => createElement('td', { className: 'response-col_' + column }, content);
      const more = { type: 'button', 'aria-label': 'Show response ' + code, onClick: () => open(true) };
      return createElement(
        'tr',
        { className: 'response', 'data-code': code },
        cell('status', code),
        cell('description', createElement(getComponent('Markdown'), { source: response.get('description') })),
        cell('links', createElement('button', more, 'Details')),
      );
    },
  },
});`;
}

function contractUrl(path: string, name: string): string {
  return `${path}/${name}.json`;
}
