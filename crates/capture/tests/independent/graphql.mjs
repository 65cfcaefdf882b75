// Requests and what is in them, by graphql-js, the reference implementation of GraphQL; and documents
// compressed by Node's own Brotli. Made once and kept, since neither comes with the tests' machines:
//
//     npm install graphql@16.11.0 && node graphql.mjs > vectors.json
import { parse, getOperationAST, valueFromASTUntyped, Kind } from 'graphql';
import { brotliCompressSync, constants } from 'node:zlib';

/** The first value of an argument, fields in the order of execution, each fragment once. */
function argument(document, operation, variables, field, name) {
  const seen = new Set();
  const visit = (selections) => {
    for (const selection of selections) {
      if (selection.kind === Kind.FIELD) {
        const found = selection.name.value === field && selection.arguments.find((a) => a.name.value === name);
        if (found) return valueFromASTUntyped(found.value, variables);
        const below = selection.selectionSet && visit(selection.selectionSet.selections);
        if (below !== undefined) return below;
      } else {
        let set = selection.selectionSet;
        if (selection.kind === Kind.FRAGMENT_SPREAD) {
          if (seen.has(selection.name.value)) continue;
          seen.add(selection.name.value);
          set = document.definitions.find(
            (d) => d.kind === Kind.FRAGMENT_DEFINITION && d.name.value === selection.name.value)?.selectionSet;
        }
        const below = set && visit(set.selections);
        if (below !== undefined) return below;
      }
    }
  };
  return visit(operation.selectionSet.selections);
}

/** Variables with the defaults of the operation put in. */
function withDefaults(operation, variables = {}) {
  const all = { ...variables };
  for (const { variable, defaultValue } of operation.variableDefinitions) {
    const name = variable.name.value;
    if (!(name in all) && defaultValue) all[name] = valueFromASTUntyped(defaultValue);
  }
  return all;
}

const wanted = [['user', 'id'], ['login', 'email'], ['orders', 'first'], ['search', 'text']];
const requests = [
  { query: '{ user(id: "7") { name } }' },
  { query: 'query Me { me: user(id: 42) { name } }' },
  { query: 'mutation M($e: String!) { login(email: $e, id: "no") { token } }', variables: { e: 'ann@example.com' } },
  { query: 'query A { user(id: 1) { a } } query B { user(id: 2) { b } }', operationName: 'B' },
  { query: 'query ($n: Int = 5) { user { orders(first: $n) { id } } }' },
  { query: 'query ($n: Int = 5) { user { orders(first: $n) { id } } }', variables: { n: 9 } },
  { query: 'subscription S { orders(first: -15) @live(if: true) { id } }' },
  { query: '{ ...F } fragment F on Query { ... on Query @include(if: true) { x: user(id: "in") { ...F } } }' },
  { query: '{ a { ...F } user(id: "behind") { b } } fragment F on A { user(id: "first") { c } }' },
  { query: '# user(id: "comment")\n{ b(text: "} user(id: \\"string\\") {") user(id: "real"), }' },
  { query: '{ search(text: "q\\"\\\\\\/\\b\\f\\n\\r\\t\\u00e4\\u{1F600}\\uD83D\\uDE00") { id } }' },
  { query: '{ search(text: """\n    one\n      "two" \\"""\n\n    three\n  """) { id } }' },
  { query: '{ search(text: """x""") { id } }' },
  { query: '{ search(text: "") { id } user(id: true) { a } login(email: ENUM) { b } orders(first: null) { c } }' },
  { query: 'query Q($u: ID) @d(a: {b: [1, {c: "user"}]}) { list(of: [[{user: 1}]]) user(id: $u) { a } }', variables: { u: 'u-1' } },
  { query: 'query Unicode { user(id: "\u4e2d\u20ac\ud83d\ude00") { a } }' },
  { query: '{user(id:1){a}user(id:2){b}}' },
  { query: '{ user { id } orders { first } }' },
];

const vectors = requests.map((request) => {
  const document = parse(request.query, { allowLegacyFragmentVariables: false });
  const named = request.operationName ?? undefined;
  const operation = named
    ? getOperationAST(document, named)
    : document.definitions.find((d) => d.kind === Kind.OPERATION_DEFINITION);
  const variables = withDefaults(operation, request.variables);
  const values = {
    type: operation.operation,
    operation: operation.name?.value ?? null,
  };
  for (const [field, name] of wanted) {
    const value = argument(document, operation, variables, field, name);
    values[`arg.${field}.${name}`] = value === undefined || value === null ? null : String(value);
  }
  return { request, values };
});

const text = JSON.stringify({ a: 'v', filler: 'lorem ipsum '.repeat(300) });
const brotli = [1, 5, 11].map((quality) => brotliCompressSync(Buffer.from(text), {
  params: { [constants.BROTLI_PARAM_QUALITY]: quality },
}).toString('base64'));

console.log(JSON.stringify({ graphql: vectors, brotli: { text, compressed: brotli } }, null, 1));
