/** A workflow of `steps` steps one after another, each with the same agent, the message going from one to the next. */
export function sequence(
  name: string,
  agentName: string,
  steps: number,
  settings: { readonly retry?: object | readonly object[]; readonly timeout_seconds?: number } = {},
) {
  const entries = Array.from({ length: steps }, (_, i) => {
    const message = i === 0 ? '$.workflow_input.message' : `$.s${i}.output_data.message`;
    const next_step = i + 1 < steps ? `s${i + 2}` : null;
    return [`s${i + 1}`, { agent_name: agentName, next_step, input_mapping: { message }, ...settings }];
  });
  return { name, start_step: 's1', steps: Object.fromEntries(entries) };
}
