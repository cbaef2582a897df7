package mistral_test

import (
	"encoding/json"
	"math"
	"os"
	"testing"

	"github.com/bfpo-go/bfpo/graph/graphtest"
	"github.com/bfpo-go/bfpo/mistral"
	"github.com/gomlx/compute/dtypes"
)

// The forward pass in bfloat16 is no farther from that in float32 than torch's on the rows, and with the figures, that
// testdata/peer_bf16.py has written to the file BFPO_PEER.
func TestPeerBFloat16(t *testing.T) {
	path := os.Getenv("BFPO_PEER")
	if path == "" {
		t.Skip("BFPO_PEER is not set")
	}
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	type distance struct{ Mean, Max float64 }
	var peer struct {
		Model string
		Rows  []struct {
			Prompt   []int32 `json:"prompt_ids"`
			Response []int32 `json:"response_ids"`
		}
		Float32 []float64
		Torch   map[string]distance
	}
	if err := json.Unmarshal(data, &peer); err != nil {
		t.Fatal(err)
	}
	checkpoint, err := mistral.Open(peer.Model)
	if err != nil {
		t.Fatal(err)
	}
	defer checkpoint.Close()
	var sequences []mistral.Sequence
	for _, r := range peer.Rows {
		sequences = append(sequences, mistral.Sequence{PromptIDs: r.Prompt, ResponseIDs: r.Response})
	}
	scores := map[dtypes.DType][]mistral.Score{}
	for _, dtype := range []dtypes.DType{dtypes.Float32, dtypes.BFloat16} {
		d := graphtest.Device(t)
		m, err := mistral.Load(d, checkpoint, dtype)
		if err != nil {
			t.Fatal(err)
		}
		s := mistral.NewScorer(d, m.Config, m.Base, nil, dtype)
		scores[dtype] = score(t, s, sequences)
		s.Close()
		m.Close()
	}
	var ours distance
	apart := 0.0 // of the two in float32
	for i, full := range scores[dtypes.Float32] {
		diff := math.Abs(scores[dtypes.BFloat16][i].LogProb - full.LogProb)
		ours.Mean, ours.Max = ours.Mean+diff/float64(len(sequences)), max(ours.Max, diff)
		apart = max(apart, math.Abs(full.LogProb-peer.Float32[i]))
	}
	t.Logf("%d responses; float32 of torch and ours differ by at most %.2g nat", len(sequences), apart)
	t.Logf("ours: mean %.4f, max %.4f nat between bfloat16 and float32", ours.Mean, ours.Max)
	for name, torch := range peer.Torch {
		t.Logf("torch %s: mean %.4f, max %.4f nat", name, torch.Mean, torch.Max)
		if ours.Mean > torch.Mean {
			t.Errorf("bfloat16 is %.4f nat from float32 on average, in torch (%s) %.4f", ours.Mean, name, torch.Mean)
		}
	}
}
