package track

import "math"

// PairResult is what one optimizer step or one evaluation found for one preference pair.
type PairResult struct {
	Loss                         float64 // of this pair
	ChosenReward, RejectedReward float64 // beta * (log pi(y|x) - log pi_ref(y|x))
	Margin                       float64 // h of Outcome.Margin, in nats
	Target                       float64 // the margin at which the loss is zero, in nats; meaningful where HasTarget
	HasTarget                    bool    // see Objective.Target
	ChosenLogP, RejectedLogP     float64 // log pi(y|x), summed over the response, in nats
	ChosenLogit, RejectedLogit   float64 // mean over the vocabulary and the response's positions
	ChosenSafe                   bool
}

// Mean is a running mean. Its zero value is the mean of no rows, which has no value.
type Mean struct {
	Sum float64
	N   int
}

// Add counts one more row.
func (m *Mean) Add(x float64) { m.Sum, m.N = m.Sum+x, m.N+1 }

// Value is the mean; ok is false where there was no row.
func (m Mean) Value() (mean float64, ok bool) {
	if m.N == 0 {
		return 0, false
	}
	return m.Sum / float64(m.N), true
}

func (m Mean) plus(o Mean) Mean { return Mean{m.Sum + o.Sum, m.N + o.N} }

// Group gathers the pairs of one set (main or buffer) over the micro-batches of a step.
type Group struct {
	Loss             Mean
	Chosen, Rejected Mean // rewards
	Margins          Mean // chosen reward - rejected reward
	Accuracies       Mean // 1 where the chosen reward is greater; a tie is not a win
	Safe, Unsafe     Mean // the chosen response's reward, over pairs whose chosen response is safe, unsafe
	ChosenLogP       Mean
	RejectedLogP     Mean
	ChosenLogit      Mean
	RejectedLogit    Mean
	Nats             Mean // the margin h in nats
	Target           Mean // the target margin in nats, over pairs whose objective has one
	Distance         Mean // |h - target| in nats, over the same pairs
}

// Add counts one more pair.
func (g *Group) Add(p PairResult) {
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

// Pairs is the number of pairs added.
func (g Group) Pairs() int { return g.Loss.N }

// Merge is the group of both groups' pairs.
func (g Group) Merge(o Group) Group {
	mine, theirs := g.means(), o.means()
	var sum Group
	for i, mean := range sum.slots() {
		*mean = mine[i].plus(theirs[i])
	}
	return sum
}

// groupNames are the names of a group's means in metrics.jsonl, in the order they are written.
var groupNames = [...]string{
	"loss",
	"rewards/chosen", "rewards/rejected", "rewards/margins", "rewards/accuracies", "rewards/safe_rewards", "rewards/unsafe_rewards",
	"logps/chosen", "logps/rejected", "logits/chosen", "logits/rejected",
	"margins/nats", "margins/target", "margins/distance",
}

func (g *Group) slots() [len(groupNames)]*Mean {
	return [...]*Mean{
		&g.Loss,
		&g.Chosen, &g.Rejected, &g.Margins, &g.Accuracies, &g.Safe, &g.Unsafe,
		&g.ChosenLogP, &g.RejectedLogP, &g.ChosenLogit, &g.RejectedLogit,
		&g.Nats, &g.Target, &g.Distance,
	}
}

func (g Group) means() (means [len(groupNames)]Mean) {
	for i, mean := range g.slots() {
		means[i] = *mean
	}
	return means
}

// values are the means that have rows, named with the prefix; loss, which comes first, is left out where skipLoss.
func (g Group) values(prefix string, skipLoss bool) []Value {
	var values []Value
	for i, mean := range g.means() {
		if x, ok := mean.Value(); ok && !(skipLoss && i == 0) {
			values = append(values, Value{prefix + groupNames[i], x})
		}
	}
	return values
}
