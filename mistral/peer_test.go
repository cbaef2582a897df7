package mistral_test

import (
	"encoding/json"
	"math"
	"os"
	"testing"

	"github.com/gomlx/compute/dtypes"

	"github.com/bfpo-go/bfpo/graph/graphtest"
	"github.com/bfpo-go/bfpo/mistral"
	"github.com/bfpo-go/bfpo/mistral/pretrained"
)

// The forward pass in bfloat16 is no farther from that in float32 than torch's on the rows, and with the figures,
// that testdata/peer_bf16.py has written to the file BFPO_PEER: token by token, on average. A response's distance
// is a sum of errors of either sign, and some thirty of them give a mean with a standard error of a fifth, about
// what the two differ by; it is logged and not compared.
func TestPeerBFloat16(t *testing.T) {
	path := os.Getenv("BFPO_PEER")
	if path == "" {
		t.Skip("BFPO_PEER is not set")
	}
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	type distance struct{ Mean, Max, Token float64 } // nats, of responses and of tokens
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
	checkpoint, err := pretrained.Open(peer.Model)
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
	apart, tokens, squares := 0.0, 0, 0.0 // apart: the two in float32
	for i, full := range scores[dtypes.Float32] {
		diff := math.Abs(scores[dtypes.BFloat16][i].LogProb - full.LogProb)
		ours.Mean, ours.Max = ours.Mean+diff/float64(len(sequences)), max(ours.Max, diff)
		squares += diff * diff
		for n, logp := range full.TokenLogProbs {
			ours.Token += math.Abs(float64(scores[dtypes.BFloat16][i].TokenLogProbs[n]) - float64(logp))
			tokens++
		}
		apart = max(apart, math.Abs(full.LogProb-peer.Float32[i]))
	}
	ours.Token /= float64(tokens)
	t.Logf("%d responses of %d tokens; float32 of torch and ours differ by at most %.2g nat", len(sequences), tokens, apart)
	n := float64(len(sequences))
	t.Logf("ours: mean %.4f (standard error %.4f), max %.4f nat between bfloat16 and float32; %.5f a token", ours.Mean, math.Sqrt((squares/n-ours.Mean*ours.Mean)/(n-1)), ours.Max, ours.Token)
	for name, torch := range peer.Torch {
		t.Logf("torch %s: mean %.4f, max %.4f nat; %.5f a token", name, torch.Mean, torch.Max, torch.Token)
		if ours.Token > torch.Token {
			t.Errorf("a token in bfloat16 is %.5f nat from float32 on average, in torch (%s) %.5f", ours.Token, name, torch.Token)
		}
	}
}
