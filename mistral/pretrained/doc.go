// Package pretrained opens pretrained models and exports trained ones.
//
// Open takes a Hugging Face folder, a GGUF file of the llama architecture, or the name of the built-in model Tiny,
// and gives all three the same form: a Model with a config, tensors by their Hugging Face names, and the small
// files of the folder (tokenizer, chat template, generation config). Weights are mapped into memory rather than
// read. Export writes a Hugging Face folder from a model and the tensors that were trained.
//
// Names, shapes and types of all tensors are checked against the config before they are used. Networks with tensors
// that would be left out of the computation are refused, as are weights in formats other than safetensors and GGUF;
// errors name the file and the tensor. Small files must lie in the model's folder and links must stay there, except
// those of the hub's cache. What is read twice, for a computation and for an export, must be the same both times.
package pretrained
