/** The workflow of the integration document, extract → transform, with an input and what its agents make of it. */
export const dataPipeline = {
  definition: {
    name: 'data-pipeline',
    description: 'Extracts records from a source and transforms them',
    start_step: 'extract',
    steps: {
      extract: {
        id: 'extract',
        agent_name: 'data-extractor',
        next_step: 'transform',
        input_mapping: { source: '$.workflow_input.source_url' },
      },
      transform: {
        id: 'transform',
        agent_name: 'data-transformer',
        next_step: null,
        input_mapping: { data: '$.extract.output_data' },
      },
    },
  },
  agents: { 'data-extractor': 'extract', 'data-transformer': 'transform' },
  input: { source_url: 's3://bucket/data.csv' },
  expectedOutput: {
    source: 's3://bucket/data.csv',
    records: [
      { id: 1, name: 'ALPHA', value: 10 },
      { id: 2, name: 'BETA', value: 20 },
      { id: 3, name: 'GAMMA', value: 30 },
    ],
    summary: { record_count: 3, total_value: 60 },
  },
};
