import { ApiAnswerError, type ApiClient } from '../api-client.ts';

/** Registers the agents, or says where they are now: their port is another one at each start. */
export async function registerAgents(
  api: ApiClient,
  urls: Readonly<Record<string, string>>,
  secret: string,
): Promise<void> {
  const register = async ([name, url]: [string, string]) => {
    const settings = { kind: 'http', url, secret };
    try {
      await api.post('/api/v1/agents', { name, ...settings });
    } catch (error) {
      if (!(error instanceof ApiAnswerError) || error.status !== 409) throw error;
      await api.put(`/api/v1/agents/${name}`, settings);
    }
  };
  await Promise.all(Object.entries(urls).map(register));
}
