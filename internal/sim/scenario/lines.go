package scenario

import (
	"fmt"
	"math/rand/v2"
)

// talk is prose without figures, put together from parts, so that documents are not all figures.
type talk struct{ who, did, what, end []string }

func (t talk) line(r *rand.Rand) string {
	return fmt.Sprintf("%s %s %s %s", pick(r, t.who), pick(r, t.did), pick(r, t.what), pick(r, t.end))
}

var policyTalk = talk{
	who: []string{
		"The buyer", "Accounts payable", "The requester", "The category manager", "The receiving clerk",
		"The controller", "The supplier's contact", "The contract owner",
	},
	did: []string{"keeps", "must not change", "signs", "hands over", "checks", "files", "must not pass on", "explains"},
	what: []string{
		"the record of the comparison", "the vendor's bank details", "the certificate of origin",
		"the reason for an exception", "the quotation that was chosen", "the approval by electronic mail",
		"the goods receipt", "the statement on conflicts of interest",
	},
	end: []string{
		"before the order is placed.", "as soon as the goods are in.",
		"unless the controller has agreed in writing.",
		"and answers for it to the auditor.", "in the procurement system and nowhere else.", "before any payment leaves.",
		"whenever the vendor is new.", "without being asked.",
	},
}

var clauseTalk = talk{
	who: []string{
		"Original: the supplier", "Amended: the supplier", "Original: the purchaser", "Amended: the purchaser",
		"Either party", "The carrier named in Schedule C", "A successor of the supplier", "The purchaser's affiliate",
	},
	did: []string{
		"shall provide", "must not withhold", "may demand", "waives", "bears the cost of",
		"shall keep free of charge",
		"must not assign", "warrants",
	},
	what: []string{
		"the test certificates of each lot", "the tooling that the purchaser paid for", "access to the records",
		"replacement of defective parts", "the documents of origin", "packaging fit for sea freight",
		"a forecast of the quantities", "the rights in the drawings",
	},
	end: []string{
		"without undue delay.", "unless the other party has agreed in writing.",
		"also after the end of the agreement.",
		"to the extent that Schedule A says so.", "and this does not limit other rights.", "at the place of delivery.",
		"in the manner that is usual in the trade.", "and must not make it depend on payment.",
	},
}

var letterTalk = talk{
	who: []string{
		"Our warehouse", "The carrier", "Your receiving clerk", "Our sales office", "The quality engineer",
		"My colleague in accounts", "The driver", "Your buyer",
	},
	did: []string{
		"confirms that he saw", "has never received", "does not accept", "sent us a copy of", "did not sign",
		"asks again for", "can explain", "regrets",
	},
	what: []string{
		"the remark on the delivery note", "the photos of the damaged cartons", "the count at the dock",
		"a notice of the shortage", "the deduction from our invoice", "the promise to replace the missing pieces",
		"the change of the payment term", "the proof of delivery",
	},
	end: []string{
		"and will say so to anyone who asks.", "although the contract demands it.",
		"so please release the payment.",
		"which is why we do not pay for it yet.", "and we would rather settle this between us.",
		"but that changes nothing about the term.", "as you will see from the attachment.",
		"and nobody has told us the reason.",
	},
}

func date(r *rand.Rand) string { return fmt.Sprintf("2026-%02d-%02d", 1+r.IntN(10), 1+r.IntN(28)) }

func registerLine(r *rand.Rand, _ Record, _ int) string {
	return fmt.Sprintf("INV-%04d | PO-%05d | %s | issued %s | USD %s | %s", 1000+r.IntN(9000), 10000+r.IntN(90000),
		pick(r, vendors), date(r), dollars(amount(r, 50, 60_000)), pick(r, []string{
			"approved", "pending", "rejected",
			"paid",
		}))
}

func vendorLine(r *rand.Rand, rec Record, n int) string {
	switch r.IntN(4) {
	case 0:
		return fmt.Sprintf("%d. %s: delivery of PO-%05d on %s complete, rating %d of 100.", n, rec.Vendor,
			10000+r.IntN(90000),
			date(r), 60+r.IntN(40))
	case 1:
		return fmt.Sprintf("%d. %s: quality audit on %s, %d findings, none open.", n, rec.Vendor, date(r), r.IntN(9))
	case 2:
		return fmt.Sprintf("%d. %s: bank details confirmed on %s by call back to the number on file.", n, rec.Vendor, date(r))
	}
	return fmt.Sprintf("%d. %s: insurance certificate valid until %s; must not ship hazardous goods.", n, rec.Vendor,
		date(r))
}

func policyLine(r *rand.Rand, _ Record, n int) string {
	limit, days := 500*(1+r.IntN(100)), 2+r.IntN(28)
	switch r.IntN(12) {
	case 0:
		return fmt.Sprintf("%d. Payments above USD %d need a second signature; the requester must not sign.", n, limit)
	case 1:
		return fmt.Sprintf("%d. A vendor must not be paid before its bank details were confirmed, at the latest %d days "+
			"after "+
			"the first order.", n, days)
	case 2:
		return fmt.Sprintf("%d. Goods with a value above USD %d are received by two people, who record shortages within %d "+
			"working days.", n, limit, days)
	case 3:
		return fmt.Sprintf("%d. Where documents of origin are missing, the invoice goes on hold for up to %d days.", n, days)
	}
	return fmt.Sprintf("%d. %s", n, policyTalk.line(r))
}

var routes = []string{
	"Rotterdam -> Gdansk", "Busan -> Hamburg", "Santos -> Antwerp", "Izmir -> Trieste", "seal intact",
	"1 carton damaged",
}

func manifestLine(r *rand.Rand, _ Record, n int) string {
	return fmt.Sprintf("%d | %s | SKU-%05d | %s | qty %d | net %d.%d kg | HS %04d.%02d | %s", n,
		pick(r, []string{"pallet", "carton", "crate", "drum"}), r.IntN(100000), pick(r, goods), 1+r.IntN(1200), r.IntN(1800),
		r.IntN(10), 1000+r.IntN(8900), r.IntN(100), pick(r, routes))
}

func clauseLine(r *rand.Rand, rec Record, n int) string {
	sub, days := 1+r.IntN(9), 10+r.IntN(80)
	switch r.IntN(12) {
	case 0:
		return fmt.Sprintf("%d.%d The supplier shall deliver within %d days of the order and must not ship in parts without "+
			"written consent.", n, sub, days)
	case 1:
		return fmt.Sprintf("%d.%d An adjustment of prices needs %d days' notice by registered letter to %s.", n, sub, days,
			rec.Buyer)
	case 2:
		return fmt.Sprintf("%d.%d Original: payment %d days after receipt. Amended: payment %d days after acceptance.", n,
			sub, days,
			days)
	case 3:
		return fmt.Sprintf("%d.%d Credit notes must not be set off before the invoice they refer to is due.", n, sub)
	}
	return fmt.Sprintf("%d.%d %s", n, sub, clauseTalk.line(r))
}

func letterLine(r *rand.Rand, rec Record, _ int) string {
	switch r.IntN(20) {
	case 0:
		return fmt.Sprintf("On %s we received %d of the ordered pieces, and we must not be charged for the rest.", date(r),
			2+r.IntN(60))
	case 1:
		return fmt.Sprintf("%s writes on %s that a deduction of USD %s is not covered by clause %d.2.", rec.Vendor, date(r),
			dollars(amount(r, 100, 90_000)), 4+r.IntN(20))
	case 2:
		return fmt.Sprintf("The shortage was recorded on %s, within the %d days that clause %d.2 allows.", date(r),
			2+r.IntN(30),
			4+r.IntN(20))
	case 3:
		return fmt.Sprintf("Please confirm by %s that you will not net this against other invoices.", date(r))
	}
	return letterTalk.line(r)
}
