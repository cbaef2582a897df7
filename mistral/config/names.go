package config

import "fmt"

// Names of the tensors outside the decoder layers, as in a Hugging Face model. V is the vocabulary size, D the
// hidden size.
const (
	EmbedTokens = "model.embed_tokens.weight" // [V, D]
	FinalNorm   = "model.norm.weight"         // [D]
	LMHead      = "lm_head.weight"            // [V, D]; absent when the embedding serves as the head (TieWordEmbeddings)
)

// Parts of one decoder layer, from which LayerTensorName makes full names. H and K are the numbers of attention and
// key/value heads, hd is the width of a head and F the intermediate size.
const (
	InputNorm         = "input_layernorm"          // [D]
	QProj             = "self_attn.q_proj"         // [H*hd, D]
	KProj             = "self_attn.k_proj"         // [K*hd, D]
	VProj             = "self_attn.v_proj"         // [K*hd, D]
	OProj             = "self_attn.o_proj"         // [D, H*hd]
	PostAttentionNorm = "post_attention_layernorm" // [D]
	GateProj          = "mlp.gate_proj"            // [F, D]
	UpProj            = "mlp.up_proj"              // [F, D]
	DownProj          = "mlp.down_proj"            // [D, F]
)

// LayerTensorName returns the full name of a part (QProj, DownProj, ...) of a layer. Layers are numbered from 0.
func LayerTensorName(layer int, part string) string {
	return LayerPrefix(layer) + part + ".weight"
}

// LayerPrefix returns the common prefix of the names of a layer's tensors.
func LayerPrefix(layer int) string { return fmt.Sprintf("model.layers.%d.", layer) }

// LayerTensorNames returns the names of a layer's tensors in the order of Config.Tensors.
func LayerTensorNames(layer int) []string {
	parts := []string{InputNorm, QProj, KProj, VProj, OProj, PostAttentionNorm, GateProj, UpProj, DownProj}
	for i, part := range parts {
		parts[i] = LayerTensorName(layer, part)
	}
	return parts
}

// TensorSpec is the name and the shape of one tensor of a model. Matrices are [out, in].
type TensorSpec struct {
	Name string
	Dims []int
}

// Elements returns the number of values in the tensor.
func (s TensorSpec) Elements() int64 {
	n := int64(1)
	for _, d := range s.Dims {
		n *= int64(d)
	}
	return n
}

// Tensors lists every tensor of the model in the order of the computation: embedding, layers, final norm, head. A
// model with tied embeddings has no LMHead.
func (c Config) Tensors() []TensorSpec {
	d, f, v := c.HiddenSize, c.IntermediateSize, c.VocabSize
	q, kv := c.NumAttentionHeads*c.HeadDim, c.NumKeyValueHeads*c.HeadDim
	specs := []TensorSpec{{EmbedTokens, []int{v, d}}}
	for layer := range c.NumHiddenLayers {
		add := func(part string, dims ...int) {
			specs = append(specs, TensorSpec{LayerTensorName(layer, part), dims})
		}
		add(InputNorm, d)
		add(QProj, q, d)
		add(KProj, kv, d)
		add(VProj, kv, d)
		add(OProj, d, q)
		add(PostAttentionNorm, d)
		add(GateProj, f, d)
		add(UpProj, f, d)
		add(DownProj, d, f)
	}
	specs = append(specs, TensorSpec{FinalNorm, []int{d}})
	if !c.TieWordEmbeddings {
		specs = append(specs, TensorSpec{LMHead, []int{v, d}})
	}
	return specs
}

// Parameters returns the number of parameters of the model. A tied head counts once.
func (c Config) Parameters() int64 {
	var n int64
	for _, s := range c.Tensors() {
		n += s.Elements()
	}
	return n
}
