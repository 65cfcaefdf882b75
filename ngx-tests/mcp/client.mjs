// Does one thing of each kind with the server at the URL given, and prints what it got, a line each.
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import { CreateMessageRequestSchema } from '@modelcontextprotocol/sdk/types.js';

const tell = (what, got) => console.log(`${what}: ${JSON.stringify(got)}`);

// A stream that is taken up again repeats what was said before: each run would be another one.
const once = { initialReconnectionDelay: 1000, maxReconnectionDelay: 1000, reconnectionDelayGrowFactor: 1, maxRetries: 0 };
const transport = new StreamableHTTPClientTransport(new URL(process.argv[2]), { reconnectionOptions: once });
const client = new Client({ name: 'tests', version: '1' }, { capabilities: { sampling: {} } });
// The server waits for this before it ends its answer: no stream may be held back.
client.setRequestHandler(CreateMessageRequestSchema, async (request) => {
    tell('asked by the server', request.params.messages);
    return { role: 'assistant', model: 'none', content: { type: 'text', text: 'sampled' } };
});

await client.connect(transport);
tell('tools', (await client.listTools()).tools.some((tool) => tool.name === 'echo'));
const secret = { access_token: 'tok-5ecre7', nested: [{ password: 'pa55-w0rd' }] };
tell('tool', await client.callTool({ name: 'echo', arguments: { message: 'hello', ...secret } }));
tell('tool that there is not', await client.callTool({ name: 'nothing', arguments: {} }));
tell('tool with wrong arguments', await client.callTool({ name: 'get-sum', arguments: { a: 'x' } }));
const steps = [];
const slow = { name: 'trigger-long-running-operation', arguments: { duration: 0.2, steps: 2 } };
tell('slow tool', await client.callTool(slow, undefined, { onprogress: (progress) => steps.push(progress) }));
tell('its progress', steps);
tell('tool that asks', await client.callTool({ name: 'trigger-sampling-request', arguments: { prompt: 'a' } }));
const uri = 'demo://resource/static/document/features.md';
tell('resource', await client.readResource({ uri }));
tell('resource that there is not', await client.readResource({ uri: 'demo://nothing' }).catch(String));
tell('prompt', await client.getPrompt({ name: 'args-prompt', arguments: { city: 'Paris' } }));
await transport.terminateSession();
await client.close();
