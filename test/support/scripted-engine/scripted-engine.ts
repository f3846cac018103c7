import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import type { Pki } from '../pki.js';
import type { Service } from '../processes.js';
import { diskDocument, EngineDisks } from './disks.js';
import { fromXml, toXml, type ApiDocument, type ApiValue } from './documents.js';
import { ApiFault } from './fault.js';
import { obedient, type EngineScript } from './script.js';
import { Storage } from './storage.js';
import { dataCenter, domains, EngineTransfers, host } from './transfers.js';

export interface EngineRequest {
  readonly method: string;
  /** Below `/ovirt-engine`, with its query. */
  readonly path: string;
  readonly headers: IncomingMessage['headers'];
  readonly body: string;
}

interface ApiAnswer {
  readonly status: number;
  /** Of the outermost XML element. */
  readonly name: string;
  readonly document: ApiDocument;
}

export const credentials = { username: 'admin@internal', password: 'se cret&' } as const;

/**
 * An engine as far as moving disks goes, over TLS, in XML for the Python SDK and in JSON. Its disks are real,
 * its tickets are at a real daemon and a real proxy, and it can be told to misbehave.
 */
export class ScriptedEngine implements AsyncDisposable {
  readonly requests: EngineRequest[] = [];
  readonly #tokens = new Map<string, number>();

  private constructor(
    readonly script: EngineScript,
    readonly disks: EngineDisks,
    readonly transfers: EngineTransfers,
    private readonly storage: Storage,
    private readonly server: Server,
  ) {}

  static async start(options: {
    readonly pki: Pki;
    readonly daemon: Service;
    readonly proxy: Service;
  }): Promise<ScriptedEngine> {
    const { pki, daemon, proxy } = options;
    const { certPem, keyPem } = await pki.issueHost('engine-api');
    const script = { ...obedient };
    const storage = await Storage.create();
    const disks = new EngineDisks(script, storage);
    const transfers = new EngineTransfers(script, disks, storage, {
      daemonUrl: daemon.url,
      proxyUrl: proxy.url,
      daemon: daemon.vdsm,
      proxy: proxy.vdsm,
    });
    const server = createServer({ cert: certPem, key: keyPem });
    const engine = new ScriptedEngine(script, disks, transfers, storage, server);
    server.on('request', (request, response) => void engine.#serve(request, response));
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    return engine;
  }

  get url(): string {
    return `https://localhost:${(this.server.address() as AddressInfo).port}`;
  }

  /** Obedient again, and as if nobody had asked for anything. */
  reset(): void {
    Object.assign(this.script, obedient);
    this.requests.length = 0;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.server.closeAllConnections();
    this.server.close();
    await this.storage[Symbol.asyncDispose]();
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { method = '', url = '', headers } = request;
    const path = url.replace(/^\/ovirt-engine/, '');
    const body = await text(request);
    this.requests.push({ method, path, headers, body });
    if (path.startsWith('/sso/') || path.startsWith('/services/')) {
      const { status, document } = this.#sso(path, body);
      response.writeHead(status, { 'Content-Type': 'application/json' }).end(JSON.stringify(document));
      return;
    }
    const isXml = headers.accept?.includes('xml') === true;
    const { status, name, document } = await this.#answer(method, path, headers, body);
    if (method === 'POST' && this.#isLost(path)) {
      request.socket.destroy();
      return;
    }
    if (Object.keys(document).length === 0) {
      response.writeHead(status, { 'Content-Length': 0 }).end();
      return;
    }
    response
      .writeHead(status, { 'Content-Type': isXml ? 'application/xml' : 'application/json' })
      .end(isXml ? toXml(name, document) : JSON.stringify(document));
  }

  #isLost(path: string): boolean {
    const { losesAnswers } = this.script;
    if (losesAnswers === undefined || path !== `/api/${losesAnswers.collection}`) return false;
    losesAnswers.times -= 1;
    return losesAnswers.times >= 0;
  }

  #sso(path: string, body: string): { status: number; document: object } {
    const form = new URLSearchParams(body);
    if (path.startsWith('/services/sso-logout')) {
      this.#tokens.delete(form.get('token') ?? '');
      return { status: 200, document: {} };
    }
    if (form.get('username') !== credentials.username || form.get('password') !== credentials.password) {
      const user = form.get('username') ?? '';
      const words = `Cannot authenticate user '${user}': The username or password is incorrect.`;
      return { status: 400, document: { error_description: words, error: 'access_denied' } };
    }
    const token = randomUUID();
    this.#tokens.set(token, 0);
    const document = {
      access_token: token,
      scope: 'ovirt-app-api',
      exp: '9223372036854775807',
      token_type: 'bearer',
    };
    return { status: 200, document };
  }

  async #answer(
    method: string,
    path: string,
    headers: IncomingMessage['headers'],
    body: string,
  ): Promise<ApiAnswer> {
    try {
      this.#authorize(headers.authorization ?? '');
      const isXml = headers['content-type']?.includes('xml') === true;
      const sent = body.trim() === '' ? {} : isXml ? fromXml(body) : asTexts(JSON.parse(body) as object);
      return await this.#route(method, path, sent);
    } catch (error: unknown) {
      if (!(error instanceof ApiFault)) throw error;
      const { status, reason, detail } = error;
      return { status, name: 'fault', document: reason === undefined ? {} : { reason, detail } };
    }
  }

  #authorize(authorization: string): void {
    const token = authorization.replace(/^Bearer /, '');
    const uses = this.#tokens.get(token);
    if (uses === undefined || uses >= this.script.tokenRequests)
      throw new ApiFault(401, undefined, undefined);
    this.#tokens.set(token, uses + 1);
  }

  async #route(method: string, path: string, sent: ApiDocument): Promise<ApiAnswer> {
    const [, , collection = '', id, action] = new URL(path, this.url).pathname.split('/');
    const { disks, transfers } = this;
    switch (
      `${method} ${collection}${id === undefined ? '' : '/id'}${action === undefined ? '' : '/action'}`
    ) {
      case 'GET ':
        return found('api', { product_info: { name: 'oVirt Engine', version: { full_version: '4.5.6' } } });
      case 'GET disks':
        return found('disks', { disk: disks.all.map(diskDocument) });
      case 'POST disks':
        return { status: 202, name: 'disk', document: diskDocument(await disks.add(sent)) };
      case 'GET disks/id':
        return found('disk', diskDocument(disks.poll(id!)));
      case 'DELETE disks/id':
        await disks.remove(id!);
        return found('action', {});
      case 'POST imagetransfers':
        return { status: 201, name: 'image_transfer', document: transfers.document(transfers.add(sent)) };
      case 'GET imagetransfers':
        return found('image_transfers', {
          image_transfer: transfers.all.map((transfer) => transfers.document(transfer)),
        });
      case 'GET imagetransfers/id':
        return found('image_transfer', transfers.document(await transfers.poll(id!)));
      case 'POST imagetransfers/id/action':
        await transfers.act(id!, action!);
        return found('action', { status: 'complete' });
      case 'GET hosts':
        return found('hosts', { host: path.includes(this.script.hostHardwareId) ? [{ ...host }] : [] });
      case 'GET hosts/id':
        return found('host', { ...host });
      case 'GET storagedomains':
        return found('storage_domains', { storage_domain: domains });
      case 'GET storagedomains/id':
        return found('storage_domain', domains[0]!);
      case 'GET datacenters/id':
        return found('data_center', dataCenter);
      case 'GET datacenters':
        return found('data_centers', { data_center: [dataCenter] });
      case 'GET jobs':
        return found('jobs', { job: [] });
      default:
        throw new ApiFault(404, undefined, undefined);
    }
  }
}

function found(name: string, document: ApiDocument): ApiAnswer {
  return { status: 200, name, document };
}

/** The engine takes numbers and booleans in JSON as such, and as text. */
function asTexts(value: object): ApiDocument {
  const entries = Object.entries(value).map(([key, entry]: [string, unknown]): [string, ApiValue] => {
    if (Array.isArray(entry)) return [key, entry.map((one) => asTexts(one as object))];
    return [key, typeof entry === 'object' && entry !== null ? asTexts(entry) : String(entry)];
  });
  return Object.fromEntries(entries);
}
