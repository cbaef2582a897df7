package recipe

import (
	"errors"
	"fmt"

	"go.yaml.in/yaml/v3"

	"github.com/bfpo-go/bfpo/bfpo/usage"
)

// otherNames are the names that newer or older versions of transformers and TRL have for a key, with the key's name
// here.
var otherNames = map[string]string{
	"activation_checkpointing": "gradient_checkpointing",
	"chat_template_path":       "chat_template",
	"dataset_name":             "dataset_mixer",
	"dtype":                    "torch_dtype",
	"eval_strategy":            "evaluation_strategy",
}

// partKeys are keys that set a part of another key's value.
var partKeys = []string{"model_revision", "dataset_train_split", "dataset_test_split"}

// withOurNames gives the keys of one file, one stage or the flags their names here. A file that gives a key under two
// names is an error, unless one of the values is null.
func withOurNames(entries []entry) ([]entry, error) {
	var renamed []entry
	var problems []error
	places := map[string]int{} // of the keys of a file in renamed
	for _, e := range entries {
		if err := e.rename(); err != nil {
			problems = append(problems, err)
			continue
		}
		first, twice := places[e.key]
		switch {
		case !twice || e.file == "":
			places[e.key] = len(renamed)
			renamed = append(renamed, e)
		case isNull(e.value):
		case isNull(renamed[first].value):
			renamed[first] = e
		default:
			problems = append(problems, fmt.Errorf("%s: %s: given twice, as %s in line %d", e.origin(), e.name(),
				renamed[first].name(), renamed[first].line))
		}
	}
	if len(problems) > 0 {
		return nil, &usage.Error{Err: errors.Join(problems...)}
	}
	return renamed, nil
}

// rename gives an entry its key's name here. The entry keeps the name that was given for messages.
func (e *entry) rename() error {
	e.given = e.key
	if name, ok := otherNames[e.key]; ok {
		e.key = name
	}
	switch e.key {
	case "warmup_steps": // since transformers 5 a number below 1 is a share of the steps
		var share float64
		if e.value.ShortTag() == "!!float" && decodeFloat(e.value, &share) == nil && share > 0 && share < 1 {
			e.key = "warmup_ratio"
		}
	case "loss_type": // TRL has lists of losses, which it adds up
		if e.value.Kind != yaml.SequenceNode {
			return nil
		}
		if len(e.value.Content) != 1 {
			return fmt.Errorf("%s: loss_type: a sum of %d losses is not supported; name one",
				e.origin(), len(e.value.Content))
		}
		e.value = dealias(e.value.Content[0])
	}
	return nil
}
