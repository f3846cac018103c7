// Who may import whom. Each folder may import those that its line names, so all arrows point one way.
const folders = {
  base: [],
  config: ['base'],
  contract: ['base'],
  log: ['base'],
  native: ['base'],
  'node-internals': ['base', 'native'],
  wire: ['base', 'config', 'contract', 'log', 'node-internals'],
  framework: ['base', 'config', 'contract', 'log', 'wire'],
  observability: ['base', 'wire'],
  tickets: ['base', 'config', 'contract', 'framework', 'log', 'observability', 'wire'],
  sessions: ['base', 'config', 'contract', 'framework', 'log', 'observability', 'wire'],
  images: [
    'base',
    'config',
    'contract',
    'framework',
    'log',
    'native',
    'node-internals',
    'observability',
    'tickets',
    'wire',
  ],
  relay: [
    'base',
    'config',
    'contract',
    'framework',
    'log',
    'node-internals',
    'observability',
    'sessions',
    'tickets',
    'wire',
  ],
  roles: [
    'base',
    'config',
    'contract',
    'framework',
    'images',
    'log',
    'observability',
    'relay',
    'sessions',
    'tickets',
    'wire',
  ],
  process: ['base', 'config', 'log', 'native', 'node-internals', 'roles', 'wire'],
  // It knows the service by its contract alone.
  ctl: ['base', 'config', 'contract'],
  // It has disks of this host, which it opens as a daemon does.
  client: ['base', 'images'],
};
const notShipped = '\\.(spec|conformance)\\.ts$';
const layer = ([folder, allowed]) => ({
  name: `${folder}-imports`,
  severity: 'error',
  from: { path: `^src/${folder}/`, pathNot: notShipped },
  to: { path: '^src/', pathNot: `^src/(${[folder, ...allowed].join('|')})/` },
});

module.exports = {
  forbidden: [
    ...Object.entries(folders).map(layer),
    { name: 'no-circular', severity: 'error', from: {}, to: { circular: true } },
    {
      name: 'no-orphans',
      severity: 'error',
      from: { orphan: true, pathNot: ['\\.spec\\.ts$', '^src/(main|openapi|(ctl|client)/main)\\.ts$'] },
      to: {},
    },
    {
      name: 'permits-not-tickets',
      severity: 'error',
      from: { path: '^src/', pathNot: ['^src/tickets/', '\\.spec\\.ts$'] },
      to: { path: '^src/tickets/ticket\\.ts$' },
      comment: 'outside of its store a ticket is known by permits and leases alone',
    },
    {
      name: 'features-know-no-router',
      severity: 'error',
      from: {
        path: '^src/(tickets|sessions|images|relay)/',
        pathNot: ['^src/[^/]+/api/', notShipped],
      },
      to: { path: '^(node_modules/)?(fastify|@nestjs/(?!common))' },
      comment: 'what is provided may say what it wants injected; requests come in at the api folder',
    },
    {
      name: 'koffi-in-native',
      severity: 'error',
      from: { path: '^src/', pathNot: ['^src/native/', notShipped] },
      to: { path: '^(node_modules/)?koffi' },
      comment: 'libc is loaded once, and each of its functions declared once',
    },
    {
      name: 'wire-knows-no-framework',
      severity: 'error',
      from: { path: '^src/(base|config|log|native|node-internals|wire|observability)/' },
      to: { path: '^(node_modules/)?(fastify|@nestjs)' },
    },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
  },
};
