package scenario

import (
	"fmt"
	"math/rand/v2"
)

// topic is what an interaction is about: its question, the statuses it may end in, its documents and its reasons.
type topic struct {
	statuses []string
	question func(Record) string
	opening  string // of the document

	key  func(Record) []string                        // the lines that decide; they always stand in the prompt
	line func(r *rand.Rand, rec Record, n int) string // one line of the document, n from 1

	reasons []string // sentences of an answer, with {invoice}, {order}, {vendor}, {amount}
}

// system is the agent's instruction, the same for all interactions.
const system = "You are the procurement agent of Meridian Components. Answer only from the records, documents and " +
	"messages of this conversation; never invent an invoice, an order or an amount. Reply with one JSON object and " +
	"nothing else: invoice (INV-0000), status (approved, pending, rejected, cleared, blocked, compliant, " +
	"non_compliant, match, mismatch, payable, not_payable, on_hold, released), amount (dollars as text, 1240.00), " +
	"reason, confidence (0 to 1)."

var vendors = []string{
	"Harlow Industrial Supply Ltd", "Brenner Logistik GmbH", "Castellan Fasteners Inc", "Okafor & Sons Trading",
	"Nordvik Marine AS", "Lindqvist Ventiler AB", "Pacific Rim Castings Co", "Delacroix Emballages SA",
	"Tanaka Precision KK", "Rio Claro Quimica Ltda", "Whitby Hydraulics plc", "Sterling Freight Forwarders",
	"Kestrel Electronics LLC", "Baltic Timber OU", "Adriatica Trasporti Srl", "Greenfield Polymers Inc",
}

var people = []string{
	"D. Okafor", "M. Brandt", "S. Iyer", "L. Moreau", "P. Ortega", "K. Lindholm", "A. Haddad", "J. Whitcombe", "R. Tanaka",
	"C. Novak", "E. Abara", "T. Sorensen",
}

var goods = []string{
	"hydraulic hose 3/8 in", "flange gasket DN80", "hex bolt M12x40 zinc", "ball valve 2 in brass", "pallet wrap 500 mm",
	"control relay 24 V", "bearing 6204-2RS", "steel plate 10 mm", "corrugated box 60x40", "cable gland M20",
	"pressure sensor 0-16 bar", "epoxy primer 20 l", "gear pump GP-4", "servo drive 2.2 kW",
}

var topics = map[string]*topic{
	statusKind: {
		statuses: []string{"approved", "pending", "rejected"},
		question: func(r Record) string { return fmt.Sprintf("Has Invoice #%s been approved?", number(r.Invoice)) },
		opening:  "Extract of the invoice register, accounts payable:",
		key: func(r Record) []string {
			return []string{
				fmt.Sprintf("%s | %s | %s | issued %s | USD %s | %s", r.Invoice, r.Order, r.Vendor, r.Issued, r.Amount(), r.Status),
				other(r),
			}
		},
		line: registerLine,
		reasons: []string{
			"{invoice} from {vendor} stands in the register with the status told here.",
			"The order {order}, the goods receipt and the invoice over USD {amount} were compared line by line.",
			"No other entry of the register refers to {invoice}.", "The approval limit of the buyer covers USD {amount}.",
		},
	},
	"vendor-check": {
		statuses: []string{"cleared", "blocked", "pending"},
		question: func(r Record) string {
			return fmt.Sprintf("Is %s cleared for new orders, with %s still open?", r.Vendor, r.Invoice)
		},
		opening: "Vendor file, extract:",
		key: func(r Record) []string {
			return []string{
				fmt.Sprintf("%s: vendor status %s since %s; open item %s over USD %s on %s.", r.Vendor, r.Status, r.Issued,
					r.Invoice, r.Amount(), r.Order), other(r),
			}
		},
		line: vendorLine,
		reasons: []string{
			"The vendor file shows the status of {vendor} and one open item, {invoice}.",
			"The open item over USD {amount} on {order} is not past due.",
			"Insurance and bank details were confirmed this year.",
			"No sanctions list names {vendor}.",
		},
	},
	"compliance-faq": {
		statuses: []string{"compliant", "non_compliant"},
		question: func(r Record) string {
			return fmt.Sprintf("Does paying %s before its certificate of origin arrives comply with our policy?", r.Invoice)
		},
		opening: "Procurement policy, current version:",
		key: func(r Record) []string {
			return []string{
				fmt.Sprintf("Finding of %s by %s: early payment of %s (%s, USD %s, %s) is %s.", r.Issued, r.Buyer, r.Invoice,
					r.Order, r.Amount(), r.Vendor, r.Status), other(r),
			}
		},
		line: policyLine,
		reasons: []string{
			"The policy was applied to {invoice} of {vendor} over USD {amount}.",
			"The rule on documents of origin decides, not the payment term of {order}.",
			"An exception would have to be signed before the payment and none is on file.",
			"The finding is recorded with the order {order}.",
		},
	},
	manifestKind: {
		statuses: []string{"match", "mismatch"},
		question: func(r Record) string {
			return fmt.Sprintf("Does freight invoice %s match what the manifest of %s says was shipped?", r.Invoice, r.Order)
		},
		opening: "Shipping manifest, all sheets:",
		key: func(r Record) []string {
			return []string{
				fmt.Sprintf("Freight invoice %s for %s, %s, USD %s, issued %s; tally against this manifest: %s.", r.Invoice,
					r.Order,
					r.Vendor, r.Amount(), r.Issued, r.Status), other(r),
			}
		},
		line: manifestLine,
		reasons: []string{
			"All lines of the manifest for {order} were added up and set against {invoice}.",
			"The weight that {vendor} charges for USD {amount} was compared with the sheets' totals.",
			"Pallets and cartons were counted apart, since the freight rate differs.",
			"Lines with damage remarks were left in the count, as the freight terms demand.",
		},
	},
	"contract-compare": {
		statuses: []string{"payable", "not_payable"},
		question: func(r Record) string {
			return fmt.Sprintf("Compare the amended agreement %s with the original: is %s payable under it?", r.Contract,
				r.Invoice)
		},
		opening: "Supply agreement and its amendment, side by side:",
		key: func(r Record) []string {
			return []string{
				fmt.Sprintf("Schedule B, %s: %s over USD %s on %s by %s is %s under the amended clause 14.2.", r.Contract,
					r.Invoice,
					r.Amount(), r.Order, r.Vendor, r.Status), other(r),
			}
		},
		line: clauseLine,
		reasons: []string{
			"The amendment replaces clause 14.2 and with it the term for {invoice}.",
			"The price adjustment of the original does not reach {order}, which was placed later.",
			"{vendor} has met the notice period, so the amount of USD {amount} is decided by the amended text alone.",
			"Neither version lets a credit note be set off against an invoice that is not due.",
		},
	},
	disputeKind: {
		statuses: []string{"on_hold", "released"},
		question: func(r Record) string {
			return fmt.Sprintf("%s disputes our deduction on %s. Decide whether the payment must be held, and say why.",
				r.Vendor,
				r.Invoice)
		},
		opening: "Correspondence with the vendor:",
		key: func(r Record) []string {
			return []string{
				fmt.Sprintf("Note of %s, %s: under %s the payment of %s (%s, USD %s) is to be %s until %s; it must not be netted "+
					"against %s.", r.Buyer, r.Issued, r.Contract, r.Invoice, r.Order, r.Amount(), r.Status, r.Due, r.OtherInvoice),
				other(r),
			}
		},
		line: letterLine,
		reasons: []string{
			"The deduction on {invoice} rests on the receipt of {order}, which records the shortage.",
			"{vendor} gave notice within the term, so the dispute over USD {amount} is open in good form.",
			"The contract must not be read as a right to net one invoice against another.",
			"The vendor's last letter names no document that the receipt would not already answer.",
			"A decision of this size is for the contract's owner, who is named in the note.",
			"Interest runs only from the due date, so holding {invoice} until then costs nothing.",
		},
	},
}

// number is an invoice's number without leading zeros: "INV-0402" is 402.
func number(invoice string) string {
	n := invoice[len("INV-"):]
	for len(n) > 1 && n[0] == '0' {
		n = n[1:]
	}
	return n
}

func other(r Record) string {
	return fmt.Sprintf("%s | %s | %s | USD %s | another order, not part of this question", r.OtherInvoice, r.OtherOrder,
		r.Vendor,
		dollars(r.OtherCents))
}
