// Who may import whom: arrows point one way, main -> roles -> (images, relay, sessions) -> tickets -> shared.
const shared = '^src/(config|contract|framework|http|logging|observability)/|^src/[^/]+\\.ts$';
const nodeInternals = '^src/node-internals/';
const only = (name, folders, allowed) => ({
  name: `${name}-imports`,
  severity: 'error',
  from: { path: `^src/${name}/`, pathNot: '\\.(spec|conformance)\\.ts$' },
  to: { path: '^src/', pathNot: [`^src/${name}/`, ...allowed] },
  comment: folders,
});
module.exports = {
  forbidden: [
    {
      name: 'node-internals-imports',
      severity: 'error',
      from: { path: '^src/node-internals/', pathNot: '\\.spec\\.ts$' },
      to: { path: '^src/', pathNot: ['^src/node-internals/', '^src/(units|errors)\\.ts$'] },
      comment: 'plain helpers alone, so that a trick can be looked at by itself',
    },
    {
      name: 'node-internals-users',
      severity: 'error',
      from: {
        path: '^src/',
        pathNot: ['^src/(node-internals|http|listeners|images|relay)/', '^src/(main|run)\\.ts$'],
      },
      to: { path: '^src/node-internals/' },
      comment: 'what moves bytes or starts the process',
    },
    { name: 'no-circular', severity: 'error', from: {}, to: { circular: true } },
    {
      name: 'no-orphans',
      severity: 'error',
      from: { orphan: true, pathNot: ['\\.spec\\.ts$', '^src/(main|openapi|ctl/main)\\.ts$'] },
      to: {},
    },
    {
      name: 'shared-imports-no-feature',
      severity: 'error',
      from: { path: shared, pathNot: '^src/(main|run|openapi|command-line)\\.ts$' },
      to: { path: '^src/(tickets|images|sessions|relay|listeners|roles|ctl)/' },
    },
    only('tickets', 'shared', [shared]),
    only('images', 'shared, tickets', [shared, nodeInternals, '^src/tickets/']),
    only('sessions', 'shared', [shared]),
    only('relay', 'shared and the stores of sessions and tickets', [
      shared,
      nodeInternals,
      '^src/tickets/',
      '^src/sessions/',
    ]),
    only('listeners', 'shared', [shared, nodeInternals]),
    only('ctl', 'shared: it knows the service by its contract only', [shared]),
    {
      name: 'permits-not-tickets',
      severity: 'error',
      from: { path: '^src/', pathNot: ['^src/tickets/', '\\.spec\\.ts$'] },
      to: { path: '^src/tickets/ticket\\.ts$' },
      comment: 'outside of its store a ticket is known by permits and leases alone',
    },
    {
      name: 'plain-domain',
      severity: 'error',
      from: { path: '^src/(tickets/ticket(\\.store)?|sessions/session|images/backends/.*)\\.ts$' },
      to: { path: '^(node_modules/)?(fastify|@nestjs/(?!common)|node:http)' },
      comment: 'the domain is testable with new',
    },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
  },
};
