// Who may import whom: arrows point one way, main -> daemon|proxy -> (images, relay, sessions) -> tickets -> shared.
const shared = '^src/(config|contract|http|logging|observability)/|^src/[^/]+\\.ts$';
const only = (name, folders, allowed) => ({
  name: `${name}-imports`,
  severity: 'error',
  from: { path: `^src/${name}/`, pathNot: '\\.(spec|conformance)\\.ts$' },
  to: { path: '^src/', pathNot: [`^src/${name}/`, ...allowed] },
  comment: folders,
});
module.exports = {
  forbidden: [
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
      to: { path: '^src/(tickets|images|sessions|relay|listeners|daemon|proxy|ctl)/' },
    },
    only('tickets', 'shared', [shared]),
    only('images', 'shared, tickets', [shared, '^src/tickets/']),
    only('sessions', 'shared', [shared]),
    only('relay', 'shared and the stores of sessions and tickets', [
      shared,
      '^src/tickets/',
      '^src/sessions/',
    ]),
    only('listeners', 'shared', [shared]),
    only('ctl', 'shared: it knows the service by its contract only', [shared]),
    { name: 'roles-apart', severity: 'error', from: { path: '^src/daemon/' }, to: { path: '^src/proxy/' } },
    {
      name: 'roles-apart-too',
      severity: 'error',
      from: { path: '^src/proxy/' },
      to: { path: '^src/daemon/' },
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
