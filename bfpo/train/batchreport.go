package train

import (
	"github.com/gomlx/gomlx/core/tensors"

	"github.com/bfpo-go/bfpo/graph/device"
)

// BatchReport is what one batch's programs say, in nats. Entries beyond the batch's pairs (or rows) are padding.
type BatchReport struct {
	Loss              []float32 // [units]
	Policy, Reference []float32 // [responses] summed log-probabilities
	LogRatio          []float32 // [responses] sum over the response's tokens of policy - reference
	Logits            []float32 // [responses] sum over the response's tokens of the mean logit over the vocabulary
}

// newBatchReports reads what each device reports of its batch.
func newBatchReports(group device.Group) ([]BatchReport, error) {
	reports := make([]BatchReport, len(group))
	for device, values := range group {
		r := &reports[device]
		parts := []*[]float32{&r.Loss, &r.Policy, &r.Logits, &r.Reference, &r.LogRatio}
		for i, value := range values {
			var err error
			if *parts[i], err = tensors.CopyFlatData[float32](value); err != nil {
				return nil, err
			}
			value.MustFinalizeAll()
		}
	}
	return reports, nil
}
