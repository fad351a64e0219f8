// Who may import whom. Types count too: a type that points the wrong way is a design that does.
const drivers = 'shared/(persistence|kafka|agents)';

/** @type {import('dependency-cruiser').IConfiguration} */
module.exports = {
  forbidden: [
    {
      name: 'engine-imports-itself',
      comment: 'The engine is pure: no node:, driver, SDK or neighbour.',
      severity: 'error',
      from: { path: '^shared/engine/' },
      to: { pathNot: '^shared/engine/' },
    },
    {
      name: 'application-imports-engine-and-ports',
      comment: 'What the application needs of the outside is a port of its own; what it keeps is bounded.',
      severity: 'error',
      from: { path: '^shared/application/' },
      to: { pathNot: '^(shared/(application|engine|definition|messages|config)|node_modules/lru-cache)/' },
    },
    {
      name: 'drivers-do-not-import-each-other',
      severity: 'error',
      from: { path: `^${drivers}/` },
      to: { path: `^${drivers}/`, pathNot: '^shared/$1/' },
    },
    {
      name: 'shared-does-not-import-functions',
      severity: 'error',
      from: { path: '^shared/' },
      to: { path: '^(functions|infra|localstack)/' },
    },
    {
      name: 'functions-do-not-import-each-other',
      severity: 'error',
      from: { path: '^functions/([^/]+)/' },
      to: { path: '^(functions|infra|localstack)/', pathNot: '^functions/$1/' },
    },
    {
      name: 'infra-names-functions-by-path',
      severity: 'error',
      from: { path: '^infra/' },
      to: { path: '^(functions|localstack|shared/(engine|application|persistence|kafka|agents))/' },
    },
    {
      name: 'nothing-imports-infra',
      comment: 'A function knows its deployment by its environment variables only.',
      severity: 'error',
      from: { path: '^(shared|functions|localstack)/' },
      to: { path: '^infra/' },
    },
    {
      name: 'functions-connect-by-composition',
      comment:
        'As whom a function comes to the database and to Kafka is decided in shared/composition/connections.ts.',
      severity: 'error',
      from: {
        path: '^(functions|shared/(agent-bridge|application|composition))/',
        pathNot: '^shared/composition/connections\\.ts$',
      },
      to: { path: '^shared/(persistence/database|kafka/producer)\\.ts$', dependencyTypesNot: ['type-only'] },
    },
    {
      name: 'nothing-imports-tests',
      severity: 'error',
      from: { pathNot: '^test/' },
      to: { path: '^test/' },
    },
    { name: 'no-cycles', severity: 'error', from: {}, to: { circular: true } },
    {
      name: 'resolvable',
      severity: 'error',
      from: {},
      to: { couldNotResolve: true },
    },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['import', 'node', 'default', 'types'],
    },
  },
};
