package step

import (
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"

	"github.com/bfpo-go/bfpo/graph/device"
)

// Report holds the losses and log-probabilities of one batch, in nats. Entries beyond the batch's pairs (or rows) are
// padding.
type Report struct {
	Loss              []float32 // [units]
	Policy, Reference []float32 // [R] summed log-probabilities; Reference is nil for a supervised objective
	LogRatio          []float32 // [R] sum over the response's tokens of policy - reference; nil for a supervised objective
	Logits            []float32 // [R] sum over the response's tokens of the mean logit over the vocabulary
}

// reportNodes is a report inside a graph.
type reportNodes struct {
	loss, policy, logits, reference, logRatio *Node
}

// reportField is one tensor of a report: its node in a graph and its values on the host.
type reportField struct {
	node   func(n *reportNodes) *Node
	values func(r *Report) *[]float32
}

// reportFields is the table of a report's tensors in the order in which programs return them. A supervised objective
// has the first three.
func reportFields(preference bool) []reportField {
	fields := []reportField{
		{func(n *reportNodes) *Node { return n.loss }, func(r *Report) *[]float32 { return &r.Loss }},
		{func(n *reportNodes) *Node { return n.policy }, func(r *Report) *[]float32 { return &r.Policy }},
		{func(n *reportNodes) *Node { return n.logits }, func(r *Report) *[]float32 { return &r.Logits }},
	}
	if preference {
		fields = append(fields,
			reportField{func(n *reportNodes) *Node { return n.reference }, func(r *Report) *[]float32 { return &r.Reference }},
			reportField{func(n *reportNodes) *Node { return n.logRatio }, func(r *Report) *[]float32 { return &r.LogRatio }})
	}
	return fields
}

// outputs lists the nodes of a report as a program returns them.
func (n reportNodes) outputs(preference bool) []*Node {
	var out []*Node
	for _, f := range reportFields(preference) {
		out = append(out, f.node(&n))
	}
	return out
}

// Pending is the reports of one program call, one per device, as they lie on the devices. Reading one waits for the
// call, so that a step reads its reports when all its calls are under way.
type Pending struct{ outputs device.Group }

// Read copies the reports to the host, one per device, and frees them on the devices. A Pending is read once.
func (p Pending) Read() ([]Report, error) {
	reports := make([]Report, len(p.outputs))
	for i, values := range p.outputs {
		fields := reportFields(len(values) > len(reportFields(false)))
		for j, value := range values {
			var err error
			if *fields[j].values(&reports[i]), err = tensors.CopyFlatData[float32](value); err != nil {
				return nil, err
			}
			value.MustFinalizeAll()
		}
	}
	return reports, nil
}
