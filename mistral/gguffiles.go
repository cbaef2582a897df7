package mistral

import (
	"fmt"
	"io/fs"
	"slices"
)

// fileNames lists the files of a Hugging Face folder that the metadata can stand in for.
func (g *ggufFile) fileNames() ([]string, error) {
	names := []string{configFile, generationFile, tokenizerFile, tokenizerConf}
	if _, ok := g.file.GetKeyValue("tokenizer.chat_template"); ok {
		names = append(names, templateFile)
	}
	return names, nil
}

// readFile makes one of those files.
func (g *ggufFile) readFile(name string) ([]byte, error) {
	names, _ := g.fileNames()
	if !slices.Contains(names, name) {
		return nil, &fs.PathError{Op: "read", Path: g.path + ":" + name, Err: fs.ErrNotExist}
	}
	data, err := g.makeFile(name)
	if err != nil {
		return nil, fmt.Errorf("%s: %s: %w", g.path, name, err)
	}
	return data, nil
}

func (g *ggufFile) makeFile(name string) ([]byte, error) {
	if name == configFile {
		return g.configJSON()
	}
	v, err := g.vocabulary()
	if err != nil {
		return nil, err
	}
	switch name {
	case tokenizerFile:
		return v.tokenizerJSON()
	case tokenizerConf:
		return v.configJSON()
	case generationFile:
		return v.generationJSON()
	}
	return []byte(v.template), nil
}

// configJSON makes a tokenizer_config.json. The class is the plain fast tokenizer, which takes everything from tokenizer.json.
func (v *ggufVocabulary) configJSON() ([]byte, error) {
	decoder := object{}
	for _, t := range v.added() {
		decoder[fmt.Sprint(t.ID)] = object{"content": t.Content, "single_word": false, "lstrip": false, "rstrip": false,
			"normalized": false, "special": t.Special}
	}
	out := object{
		"tokenizer_class": "PreTrainedTokenizerFast", "clean_up_tokenization_spaces": false, "model_max_length": v.length,
		"model_input_names": []string{"input_ids", "attention_mask"}, "added_tokens_decoder": decoder,
		"bos_token": v.text(v.bos), "eos_token": v.text(v.eos), "unk_token": v.text(v.unk), "pad_token": v.text(v.pad),
		"add_bos_token": v.addBOS, "add_eos_token": v.addEOS,
	}
	if v.template != "" {
		out["chat_template"] = v.template
	}
	return marshal(out)
}

// generationJSON makes a generation_config.json. A token that ends a turn ends generation too.
func (v *ggufVocabulary) generationJSON() ([]byte, error) {
	ends := []int32{}
	for _, id := range []*int{v.eos, v.eot} {
		if id != nil && !slices.Contains(ends, int32(*id)) {
			ends = append(ends, int32(*id))
		}
	}
	return marshal(object{"_from_model_config": true, "bos_token_id": v.bos, "eos_token_id": oneOrList(ends), "pad_token_id": v.pad})
}
