package pretrained

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/bfpo-go/bfpo/mistral/config"
	"github.com/bfpo-go/bfpo/mistral/safetensors"
)

// Tensors that would change the computation are refused by name, other ones are counted in a notice, and buffers that
// are computed anew are passed over.
func TestUnusedTensors(t *testing.T) {
	for _, test := range []struct {
		add             []string
		notice, refused string
	}{
		{add: []string{"model.layers.0.self_attn.rotary_emb.inv_freq", "model.rotary_emb.inv_freq"}},
		{add: []string{"score.weight"}, notice: "1 tensor that a MistralForCausalLM does not have is not used: score.weight"},
		{add: []string{"v_head.a", "v_head.b", "v_head.c", "v_head.d", "v_head.e", "v_head.f", "v_head.g"},
			notice: "7 tensors that a MistralForCausalLM does not have are not used: v_head.a, v_head.b, v_head.c, v_head.d, " +
				"v_head.e and 2 more"},
		{add: []string{"base_model.model.model.layers.0.self_attn.q_proj.lora_A.weight", "score.weight"},
			refused: "q_proj.lora_A.weight is part of an adapter, and adapters are not supported: merge"},
		{add: []string{"model.layers.0.self_attn.q_proj.lora_B.default.weight"}, refused: "is part of an adapter"},
		{add: []string{"lm_head.bias"}, refused: "tensor lm_head.bias is not part of a plain MistralForCausalLM"},
	} {
		dir := tinyFolder(t)
		rewriteWeights(t, dir, func(s safetensors.Source) []safetensors.Source {
			all := []safetensors.Source{s}
			if s.Name == config.FinalNorm {
				for _, name := range test.add {
					added := s
					added.Name = name
					all = append(all, added)
				}
			}
			return all
		})
		c := openModel(t, dir)
		notices := strings.Join(c.Notices, "\n")
		if want := test.notice; want == "" && notices != "" || !strings.HasSuffix(notices, want) {
			t.Errorf("%s: notices %q, want %q", test.add, notices, want)
		}
		err := c.CheckTensors()
		if test.refused == "" && err == nil {
			continue
		}
		if test.refused == "" || err == nil || !strings.Contains(err.Error(), test.refused) {
			t.Errorf("%s: %v, want %q", test.add, err, test.refused)
		}
	}
}

// A folder with an adapter is refused, with a whole model in it or without.
func TestAdapter(t *testing.T) {
	for _, dir := range []string{tinyFolder(t), t.TempDir()} {
		if err := os.WriteFile(filepath.Join(dir, adapterFile), []byte("{}"), 0o644); err != nil {
			t.Fatal(err)
		}
		_, err := Open(dir)
		if err == nil || !strings.Contains(err.Error(), "adapter_config.json: adapters are not supported") {
			t.Error(err)
		}
	}
}
