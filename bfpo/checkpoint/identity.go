package checkpoint

import (
	"maps"
	"slices"
)

// Identity names, by their content, the things that a run's weights depend on besides its Settings. A run is only
// continued, and a finished stage only taken over, with the same things.
type Identity struct {
	Semantics    int               `json:"semantics"`     // of training; grows when the same input gives other weights
	Weights      map[string]string `json:"weights"`       // type, shape and digest of each tensor of the model
	Config       map[string]string `json:"config"`        // values of the model's config.json
	Tokenizer    string            `json:"tokenizer"`     // digest of the tokenizer's files
	ChatTemplate string            `json:"chat_template"` // digest of the template's source
	Rows         map[string]string `json:"rows"`          // digest of each set's rows, by the set's name
	Platform     string            `json:"platform"`      // of the device; a run may go on elsewhere
	Programs     string            `json:"programs"`      // digest of the training programs' keys; as Platform
}

// Part is a part of an identity.
type Part string

// The parts that Differences compares.
const (
	PartSemantics Part = "semantics"
	PartWeights   Part = "weights"
	PartConfig    Part = "config"
	PartTokenizer Part = "tokenizer"
	PartTemplate  Part = "chat template"
	PartRows      Part = "rows"
)

// Difference is one thing in which two identities differ.
type Difference struct {
	Part     Part
	Name     string // of the tensor, the key or the set; "" for parts that are one thing
	Was, Now string // "" where there was, or is, none
}

// Differences lists what differs in now, in the order of the parts and then of the names. Platform and Programs are
// not compared, nor are values of config.json that only one of the identities has: another version of the program
// may read other keys.
func (was Identity) Differences(now Identity) []Difference {
	var all []Difference
	single := func(p Part, a, b string) {
		if a != b {
			all = append(all, Difference{p, "", a, b})
		}
	}
	if was.Semantics != now.Semantics {
		all = append(all, Difference{Part: PartSemantics})
	}
	all = append(all, differingValues(PartWeights, was.Weights, now.Weights)...)
	for _, d := range differingValues(PartConfig, was.Config, now.Config) {
		if d.Was != "" && d.Now != "" {
			all = append(all, d)
		}
	}
	single(PartTokenizer, was.Tokenizer, now.Tokenizer)
	single(PartTemplate, was.ChatTemplate, now.ChatTemplate)
	return append(all, differingValues(PartRows, was.Rows, now.Rows)...)
}

// differingValues lists the names whose values differ, sorted.
func differingValues(p Part, was, now map[string]string) (all []Difference) {
	names := slices.AppendSeq(slices.Collect(maps.Keys(was)), maps.Keys(now))
	slices.Sort(names)
	for _, name := range slices.Compact(names) {
		if was[name] != now[name] {
			all = append(all, Difference{p, name, was[name], now[name]})
		}
	}
	return all
}
