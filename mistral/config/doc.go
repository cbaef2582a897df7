// Package config describes Mistral and Llama networks: their config.json, the names and shapes of their tensors,
// and the names of the files beside the weights.
//
// Parse reads a config.json in the layouts of transformers 4 and 5 and refuses every network that this project
// would compute wrongly: biases, dropout, mixtures of experts, quantised weights, other activations, partial rotary
// embedding, unknown rotary scalings and keys of them that are not read. Errors name the file and the key. Config.JSON
// writes the config back; keys that do not affect the computation pass through.
//
// The package imports graph/device only, for the list of tensors that a mesh may shard.
package config
