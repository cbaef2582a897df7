package plan

import (
	"embed"
	"strings"

	"github.com/bfpo-go/bfpo/mistral/config"
)

// architectures are config.json files of models by the names below, so that a plan needs neither their weights nor the
// hub.
//
//go:embed architectures
var architectures embed.FS

// knownModels maps the names of models, as recipes use them, to architectures.
func knownModels() map[string]string {
	return map[string]string{
		"mistralai/Mistral-7B-v0.1":             "mistral-7b",
		"HuggingFaceH4/zephyr-7b-beta":          "mistral-7b",
		"HuggingFaceH4/mistral-7b-sft-beta":     "mistral-7b",
		"alignment-handbook/zephyr-7b-sft-full": "mistral-7b",
		"smollm2-135m-instruct":                 "smollm2-135m",
		"HuggingFaceTB/SmolLM2-135M-Instruct":   "smollm2-135m",
		"HuggingFaceTB/SmolLM2-135M":            "smollm2-135m",
	}
}

// knownArchitecture returns the configuration of a known model. "@revision" in the name is ignored; ok is false if the
// model is unknown.
func knownArchitecture(model string) (c config.Config, ok bool, err error) {
	id, _, _ := strings.Cut(model, "@")
	name, ok := knownModels()[id]
	if !ok {
		return c, false, nil
	}
	file := "architectures/" + name + ".json"
	data, err := architectures.ReadFile(file)
	if err == nil {
		c, err = config.Parse(file, data)
	}
	return c, err == nil, err
}
