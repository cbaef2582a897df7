package gguf

import (
	"fmt"
	"io/fs"
	"slices"

	"github.com/bfpo-go/bfpo/mistral/config"
)

// fileNames lists the files of a Hugging Face folder that the metadata can stand in for.
func (g *File) FileNames() ([]string, error) {
	names := []string{config.ConfigFile, config.GenerationFile, config.TokenizerFile, config.TokenizerConf}
	if _, ok := g.file.GetKeyValue("tokenizer.chat_template"); ok {
		names = append(names, config.TemplateFile)
	}
	return names, nil
}

// readFile makes one of those files.
func (g *File) ReadFile(name string) ([]byte, error) {
	names, _ := g.FileNames()
	if !slices.Contains(names, name) {
		return nil, &fs.PathError{Op: "read", Path: g.path + ":" + name, Err: fs.ErrNotExist}
	}
	data, err := g.makeFile(name)
	if err != nil {
		return nil, fmt.Errorf("%s: %s: %w", g.path, name, err)
	}
	return data, nil
}

func (g *File) makeFile(name string) ([]byte, error) {
	if name == config.ConfigFile {
		return g.configJSON()
	}
	v, err := g.vocabulary()
	if err != nil {
		return nil, err
	}
	switch name {
	case config.TokenizerFile:
		return v.tokenizerJSON()
	case config.TokenizerConf:
		return v.configJSON()
	case config.GenerationFile:
		return v.generationJSON()
	}
	return []byte(v.template), nil
}

// configJSON makes a tokenizer_config.json. The class is the plain fast tokenizer, which takes everything from tokenizer.json.
func (v *vocabulary) configJSON() ([]byte, error) {
	decoder := config.Object{}
	for _, t := range v.added() {
		decoder[fmt.Sprint(t.ID)] = config.Object{"content": t.Content, "single_word": false, "lstrip": false, "rstrip": false,
			"normalized": false, "special": t.Special}
	}
	out := config.Object{
		"tokenizer_class": "PreTrainedTokenizerFast", "clean_up_tokenization_spaces": false, "model_max_length": v.length,
		"model_input_names": []string{"input_ids", "attention_mask"}, "added_tokens_decoder": decoder,
		"bos_token": v.text(v.bos), "eos_token": v.text(v.eos), "unk_token": v.text(v.unk), "pad_token": v.text(v.pad),
		"add_bos_token": v.addBOS, "add_eos_token": v.addEOS,
	}
	if v.template != "" {
		out["chat_template"] = v.template
	}
	return config.Marshal(out)
}

// generationJSON makes a generation_config.json. A token that ends a turn ends generation too.
func (v *vocabulary) generationJSON() ([]byte, error) {
	ends := []int32{}
	for _, id := range []*int{v.eos, v.eot} {
		if id != nil && !slices.Contains(ends, int32(*id)) {
			ends = append(ends, int32(*id))
		}
	}
	return config.Marshal(config.Object{"_from_model_config": true, "bos_token_id": v.bos, "eos_token_id": config.OneOrList(ends), "pad_token_id": v.pad})
}
