// Package mistral runs Mistral and Llama networks: the forward pass for training, generation, and the scoring of
// responses.
//
// Load puts the weights of a pretrained model on a device, and LoadOnMesh on the devices of a mesh. These base
// weights never change. What training changes are masters (LoadMasters): float32 copies of the tensors that
// Trainable selects. Hidden builds the forward pass that training differentiates. A Generator continues prompts
// with a KV cache, greedily with drafts or by sampling, and a Scorer computes log-probabilities of responses with
// shared prefixes. Both take base weights and, for the policy, masters that replace base weights of the same names.
//
// Everything here is token ids; text, tokenizers and chat templates are the business of the packages in datasets.
// Prompts and sequences with ids outside the vocabulary or more tokens than the network has positions are refused
// with the number of their row.
package mistral
