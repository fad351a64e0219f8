import type { APIGatewayProxyEvent } from 'aws-lambda';

/** Header names come as the client wrote them. An empty value counts as sent. */
export function headerOf(event: APIGatewayProxyEvent, name: string): string | undefined {
  const wanted = name.toLowerCase();
  const entry = Object.entries(event.headers ?? {}).find(([key]) => key.toLowerCase() === wanted);
  return entry?.[1];
}
