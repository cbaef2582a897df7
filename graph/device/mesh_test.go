package device

import (
	"strings"
	"testing"
)

func TestParseMesh(t *testing.T) {
	rules := ShardRules{"proj.weight"}
	for _, test := range []struct {
		text    string
		devices int
		want    Mesh // without its rules; zero stands for one device
		printed string
	}{
		{"data", 0, Mesh{}, "one device"},
		{"fsdp", 1, Mesh{}, "one device"},
		{"data=1,fsdp=1", 1, Mesh{}, "one device"},
		{"data", 4, Mesh{Replicas: 4, Shards: 1}, "data"},
		{"zero1", 4, Mesh{Replicas: 1, Shards: 4}, "zero1"},
		{"fsdp", 8, Mesh{Replicas: 1, Shards: 8, ShardFrozen: true}, "fsdp"},
		{"fsdp=8", 0, Mesh{Replicas: 1, Shards: 8, ShardFrozen: true}, "fsdp"},
		{"data=2", 2, Mesh{Replicas: 2, Shards: 1}, "data"},
		{"data=2,fsdp=4", 0, Mesh{Replicas: 2, Shards: 4, ShardFrozen: true}, "data=2,fsdp=4"},
		{"fsdp=4,data=2", 8, Mesh{Replicas: 2, Shards: 4, ShardFrozen: true}, "data=2,fsdp=4"},
	} {
		m, err := ParseMesh(test.text, test.devices, rules)
		if err != nil {
			t.Fatalf("%s on %d: %v", test.text, test.devices, err)
		}
		if m.String() != test.printed {
			t.Errorf("%s on %d: %s, want %s", test.text, test.devices, m, test.printed)
		}
		if (m == nil) != (test.want.Replicas == 0) {
			t.Errorf("%s on %d: %v", test.text, test.devices, m)
			continue
		}
		if m == nil {
			continue
		}
		got, want := *m, test.want
		if got.Replicas != want.Replicas || got.Shards != want.Shards || got.ShardFrozen != want.ShardFrozen {
			t.Errorf("%s on %d: %+v, want %+v", test.text, test.devices, got, want)
		}
	}
	for text, want := range map[string]string{
		"rows=2":        "want data, zero1, fsdp or sizes",
		"data=2,data=2": "want data",
		"fsdp=0":        "want data",
		"zero1=2":       "want data",
		"":              "want data",
		"data=2,fsdp=4": "a mesh of 8 devices, but there are to be 4",
	} {
		if m, err := ParseMesh(text, 4, rules); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q on 4: %v, %v, want %q", text, m, err, want)
		}
	}
}

func TestMeshShards(t *testing.T) {
	rules := ShardRules{"q_proj.weight", "embed_tokens.weight"}
	fsdp := &Mesh{Replicas: 2, Shards: 4, ShardFrozen: true, Rules: rules}
	zero1 := &Mesh{Replicas: 1, Shards: 4, Rules: rules}
	for _, test := range []struct {
		mesh            *Mesh
		name            string
		dims            []int
		trained, frozen bool // sharded
		indivisible     bool
	}{
		{fsdp, "model.layers.0.self_attn.q_proj.weight", []int{64, 48}, true, true, false},
		{zero1, "model.layers.0.self_attn.q_proj.weight", []int{64, 48}, true, false, false},
		{fsdp, "model.layers.0.self_attn.q_proj.weight", []int{66, 48}, false, false, true},
		{fsdp, "model.norm.weight", []int{64}, false, false, false},
		{&Mesh{Replicas: 4, Shards: 1, Rules: rules}, "model.embed_tokens.weight", []int{64, 4}, false, false, false},
		{nil, "model.embed_tokens.weight", []int{64, 4}, false, false, false},
	} {
		trained := test.mesh.IsSharded(test.name, test.dims)
		frozen := test.mesh.IsFrozenSharded(test.name, test.dims)
		indivisible := test.mesh.IsIndivisible(test.name, test.dims)
		if trained != test.trained || frozen != test.frozen || indivisible != test.indivisible {
			t.Errorf("%s %v on %s: trained %t, frozen %t, indivisible %t; want %t, %t, %t",
				test.name, test.dims, test.mesh,
				trained, frozen, indivisible, test.trained, test.frozen, test.indivisible)
		}
	}
}
