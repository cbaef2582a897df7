package gguf

import (
	"fmt"
	"io/fs"
	"slices"

	"github.com/bfpo-go/bfpo/mistral/config"
)

// FileNames lists the files of a Hugging Face folder that ReadFile can build from the metadata.
func (g *File) FileNames() ([]string, error) {
	names := []string{config.ConfigFile, config.GenerationConfigFile, config.TokenizerFile, config.TokenizerConfigFile}
	if _, ok := g.file.GetKeyValue("tokenizer.chat_template"); ok {
		names = append(names, config.ChatTemplateFile)
	}
	return names, nil
}

// ReadFile builds one of the files that FileNames lists. The error for any other name is fs.ErrNotExist.
func (g *File) ReadFile(name string) ([]byte, error) {
	names, _ := g.FileNames()
	if !slices.Contains(names, name) {
		return nil, &fs.PathError{Op: "read", Path: g.path + ":" + name, Err: fs.ErrNotExist}
	}
	data, err := g.buildFile(name)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", g.path, err) // it names the metadata key; there is no file of this name
	}
	return data, nil
}

func (g *File) buildFile(name string) ([]byte, error) {
	if name == config.ConfigFile {
		return g.configJSON()
	}
	v, err := g.readVocabulary()
	if err != nil {
		return nil, err
	}
	switch name {
	case config.TokenizerFile:
		return v.tokenizerJSON()
	case config.TokenizerConfigFile:
		return v.tokenizerConfigJSON()
	case config.GenerationConfigFile:
		return v.generationConfigJSON()
	}
	return []byte(v.template), nil
}

// tokenizerConfigJSON builds a tokenizer_config.json. The class is the plain fast tokenizer, which takes everything
// from tokenizer.json.
func (v *vocabulary) tokenizerConfigJSON() ([]byte, error) {
	decoder := map[string]addedToken{}
	for _, t := range v.addedTokens() {
		decoder[fmt.Sprint(*t.ID)] = addedToken{Content: t.Content, Special: t.Special}
	}
	out := config.Object{
		"tokenizer_class": "PreTrainedTokenizerFast", "clean_up_tokenization_spaces": false,
		"model_max_length": v.maxLength, "model_input_names": []string{"input_ids", "attention_mask"},
		"added_tokens_decoder": decoder,
		"bos_token":            v.tokenText(v.bos), "eos_token": v.tokenText(v.eos),
		"unk_token": v.tokenText(v.unk), "pad_token": v.tokenText(v.pad),
		"add_bos_token": v.addBOS, "add_eos_token": v.addEOS,
	}
	if v.template != "" {
		out["chat_template"] = v.template
	}
	return config.Marshal(out)
}

// generationConfigJSON builds a generation_config.json. The tokens
// that end a turn or a message also end generation, as in llama.cpp.
func (v *vocabulary) generationConfigJSON() ([]byte, error) {
	ends := []int32{}
	for _, id := range []*int{v.eos, v.eot, v.eom} {
		if id != nil && !slices.Contains(ends, int32(*id)) {
			ends = append(ends, int32(*id))
		}
	}
	return config.Marshal(config.Object{
		"_from_model_config": true, "bos_token_id": v.bos, "eos_token_id": config.TokenIDsJSON(ends), "pad_token_id": v.pad,
	})
}

const epsilonKey = "llama.attention.layer_norm_rms_epsilon"

// configJSON builds the config.json of a LlamaForCausalLM.
func (g *File) configJSON() ([]byte, error) {
	m := &metadataReader{file: g.file}
	embed, ok := g.tensors[config.EmbedTokens]
	if !ok || len(embed.dims) != 2 {
		return nil, fmt.Errorf("tensor token_embd.weight: missing or not a matrix (shape %v)", embed.dims)
	}
	m.need("llama.context_length", "llama.embedding_length", "llama.feed_forward_length", "llama.block_count", epsilonKey)
	heads := m.integer("llama.attention.head_count", 0)
	theta := m.number("llama.rope.freq_base", config.DefaultRopeTheta)
	head := m.headWidth()
	rope := m.integer("llama.rope.dimension_count", head)
	if value := m.integer("llama.attention.value_length", head); value != head || rope != head {
		m.fail("llama.rope.dimension_count",
			"rotary width %d, key width %d and value width %d must be equal", rope, head, value)
	}
	_, ownHead := g.tensors[config.LMHead]
	keys := map[string]any{
		"architectures": []string{config.ArchitectureLlama}, "model_type": "llama", "torch_dtype": "float32",
		"hidden_act": "silu", "vocab_size": embed.dims[0], "hidden_size": m.integer("llama.embedding_length", 0),
		"head_dim":                head,
		"num_attention_heads":     heads,
		"num_key_value_heads":     m.integer("llama.attention.head_count_kv", heads),
		"intermediate_size":       m.integer("llama.feed_forward_length", 0),
		"num_hidden_layers":       m.integer("llama.block_count", 0),
		"max_position_embeddings": m.contextLength(),
		"rms_norm_eps":            m.number(epsilonKey, 0),
		"rope_theta":              theta,
		"tie_word_embeddings":     !ownHead, "attention_bias": false, "mlp_bias": false,
		"bos_token_id": m.token("tokenizer.ggml.bos_token_id", embed.dims[0]),
		"eos_token_id": m.token("tokenizer.ggml.eos_token_id", embed.dims[0]),
		"pad_token_id": m.token("tokenizer.ggml.padding_token_id", embed.dims[0]),
	}
	if g.scaling != nil {
		keys["rope_scaling"] = g.scaling
	}
	if m.err != nil {
		return nil, m.err
	}
	return config.Marshal(keys)
}
