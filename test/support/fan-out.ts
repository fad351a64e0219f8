/** The name of the workflow that `fanOut` starts as a child; its one step says what it was given. */
export const FAN_OUT_CHILD = {
  name: 'fan-out-child',
  start_step: 'c',
  steps: { c: { type: 'pass', result: '$.workflow_input.said' } },
};

/**
 * Branches, items in a window and a child, one after and inside the other: an agent's step beside three items, two of them at
 * once, then a child that gets the agent's answer.
 */
export function fanOut(agent_name: string) {
  const work = { agent_name, input_mapping: { item: '$.item' }, output_mapping: '$.output.item' };
  return {
    start_step: 'both',
    steps: {
      both: {
        type: 'parallel',
        branches: {
          one: {
            start_step: 'ask',
            steps: { ask: { agent_name, input_mapping: { said: '$.workflow_input.message' } } },
          },
          many: {
            start_step: 'each',
            steps: {
              each: {
                type: 'map',
                items: '$.workflow_input.items',
                max_concurrency: 2,
                start_step: 'work',
                steps: { work },
              },
            },
          },
        },
        next_step: 'call',
      },
      call: {
        type: 'workflow',
        workflow_name: FAN_OUT_CHILD.name,
        input_mapping: { said: '$.both.output_data.one.said' },
        output_mapping: { child: '$.output', items: '$.both.output_data.many' },
      },
    },
  };
}

export const fanOutInput = (message: string) => ({ message, items: ['a', 'b', 'c'] });

export const fanOutOutput = (message: string) => ({ child: message, items: ['a', 'b', 'c'] });

/** Each once, in no order. */
export const FAN_OUT_ATTEMPTS = [
  'both COMPLETED',
  'both#1/many/each COMPLETED',
  'both#1/many/each#1/0/work COMPLETED',
  'both#1/many/each#1/1/work COMPLETED',
  'both#1/many/each#1/2/work COMPLETED',
  'both#1/one/ask COMPLETED',
  'call COMPLETED',
];
