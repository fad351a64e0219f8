import type { Json } from '../../shared/engine/json.ts';

/** An agent that is a Lambda function: the event is what an HTTP agent gets in its body, what it returns is the output. */
export async function handler({ input_data }: { readonly input_data: Json }): Promise<Json> {
  return input_data;
}
