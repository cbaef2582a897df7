package track

import "math"

// PairResult is what one optimizer step or one evaluation measured for one preference pair.
type PairResult struct {
	Loss                         float64 // of this pair
	ChosenReward, RejectedReward float64 // beta * (log pi(y|x) - log pi_ref(y|x))
	Margin                       float64 // h of bfpo.Outcome.Margin, in nats
	Target                       float64 // the margin at which the loss is zero, in nats; undefined unless HasTarget
	HasTarget                    bool    // see bfpo.Objective.Target
	ChosenLogP, RejectedLogP     float64 // log pi(y|x), summed over the response, in nats
	ChosenLogit, RejectedLogit   float64 // mean over the vocabulary and the response's positions
	ChosenSafe                   bool
}

// Mean is a running mean. The zero Mean has no rows, and so no value.
type Mean struct {
	Sum float64
	N   int
}

// Add adds the value of one more row.
func (m *Mean) Add(x float64) { m.Sum, m.N = m.Sum+x, m.N+1 }

// Value returns the mean; ok is false if there is no row.
func (m Mean) Value() (mean float64, ok bool) {
	if m.N == 0 {
		return 0, false
	}
	return m.Sum / float64(m.N), true
}

// merge returns the mean over both means' rows.
func (m Mean) merge(o Mean) Mean { return Mean{m.Sum + o.Sum, m.N + o.N} }

// PairStats are the means over the pairs of one set (main or buffer) in all micro-batches of a step, or in an
// evaluation.
type PairStats struct {
	Loss             Mean
	Chosen, Rejected Mean // rewards
	Margins          Mean // chosen reward - rejected reward, beta times Nats; rewards/margins of TRL
	Accuracies       Mean // 1 if the chosen reward is greater, else 0; a tie counts 0
	Safe, Unsafe     Mean // the chosen response's reward, over the pairs whose chosen response is safe or unsafe
	ChosenLogP       Mean
	RejectedLogP     Mean
	ChosenLogit      Mean
	RejectedLogit    Mean
	Nats             Mean // the margin h in nats
	Target           Mean // the target margin in nats, over the pairs that have one
	Distance         Mean // |h - target| in nats, over the same pairs
}

// Add adds one more pair.
func (g *PairStats) Add(p PairResult) {
	g.Loss.Add(p.Loss)
	g.Chosen.Add(p.ChosenReward)
	g.Rejected.Add(p.RejectedReward)
	g.Margins.Add(p.ChosenReward - p.RejectedReward)
	if p.Margin > 0 {
		g.Accuracies.Add(1)
	} else {
		g.Accuracies.Add(0)
	}
	if p.ChosenSafe {
		g.Safe.Add(p.ChosenReward)
	} else {
		g.Unsafe.Add(p.ChosenReward)
	}
	g.ChosenLogP.Add(p.ChosenLogP)
	g.RejectedLogP.Add(p.RejectedLogP)
	g.ChosenLogit.Add(p.ChosenLogit)
	g.RejectedLogit.Add(p.RejectedLogit)
	g.Nats.Add(p.Margin)
	if p.HasTarget {
		g.Target.Add(p.Target)
		g.Distance.Add(math.Abs(p.Margin - p.Target))
	}
}

// Pairs returns the number of pairs added.
func (g PairStats) Pairs() int { return g.Loss.N }

// Merge returns the means over both sets' pairs.
func (g PairStats) Merge(o PairStats) PairStats {
	mine, theirs := g.means(), o.means()
	var merged PairStats
	for i, mean := range merged.pointers() {
		*mean = mine[i].merge(theirs[i])
	}
	return merged
}

// meanNames are the names of a set's means in metrics.jsonl, in the order in which they are written. pointers has the
// same order.
var meanNames = [...]string{
	"loss",
	"rewards/chosen", "rewards/rejected", "rewards/margins", "rewards/accuracies",
	"rewards/safe_rewards", "rewards/unsafe_rewards",
	"logps/chosen", "logps/rejected", "logits/chosen", "logits/rejected",
	"margins/nats", "margins/target", "margins/distance",
}

// pointers returns a pointer to each mean, in the order of meanNames.
func (g *PairStats) pointers() [len(meanNames)]*Mean {
	return [...]*Mean{
		&g.Loss,
		&g.Chosen, &g.Rejected, &g.Margins, &g.Accuracies, &g.Safe, &g.Unsafe,
		&g.ChosenLogP, &g.RejectedLogP, &g.ChosenLogit, &g.RejectedLogit,
		&g.Nats, &g.Target, &g.Distance,
	}
}

// means returns all means, in the order of meanNames.
func (g PairStats) means() (means [len(meanNames)]Mean) {
	for i, mean := range g.pointers() {
		means[i] = *mean
	}
	return means
}

// values returns the means that have rows, their names beginning with prefix. With skipLoss the loss, which comes
// first, is left out.
func (g PairStats) values(prefix string, skipLoss bool) []Value {
	var values []Value
	for i, mean := range g.means() {
		if x, ok := mean.Value(); ok && !(skipLoss && i == 0) {
			values = append(values, Value{prefix + meanNames[i], x})
		}
	}
	return values
}
