// The cards by section, in the order of the page.

import { apps } from "./apps.js";
import { countries, devices, marketplaces, products } from "./breakdown.js";
import { lifetimeValue, retention } from "./cohorts.js";
import { freshness } from "./freshness.js";
import { payout } from "./payout.js";
import { downloads, kinds, refunds, revenue } from "./sales.js";
import {
  activeSubscriptions,
  movements,
  mrrChurnRates,
  paidChurn,
  people,
  recurringRevenue,
} from "./subscriptions.js";

const card = (id, title, compute, options = {}) => ({ id, title, compute, ...options });
const AMOUNTS = { needsSales: true };
const WIDE = { isWide: true };

export const SECTIONS = [
  {
    id: "sales",
    title: "Sales",
    cards: [
      card("revenue", "Net sales by app", revenue, AMOUNTS),
      card("downloads", "Downloads by app", downloads),
      card("kinds", "Net sales by kind", kinds, AMOUNTS),
      card("refunds", "Refunds and chargebacks", refunds, AMOUNTS),
      card("apps", "Apps", apps, WIDE),
    ],
  },
  {
    id: "subscriptions",
    title: "Subscriptions",
    needsSubscriptions: true,
    cards: [
      card("mrr", "Monthly recurring revenue (MRR)", recurringRevenue, AMOUNTS),
      card("movements", "MRR movements", movements, AMOUNTS),
      card("mrr-churn", "MRR churn", mrrChurnRates, AMOUNTS),
      card("people", "Subscribers new, returning and lost", people),
      card("active", "Active subscriptions", activeSubscriptions),
      card("churn", "Churn of paid subscriptions", paidChurn),
      card("retention", "Retention by cohort", retention, WIDE),
      card("ltv", "Lifetime value to date", lifetimeValue, AMOUNTS),
      card("marketplaces", "Subscriptions by marketplace", marketplaces),
    ],
  },
  {
    id: "breakdown",
    title: "Countries, devices and products",
    hasRankChoice: true,
    cards: [
      card("countries", "Countries", countries),
      card("devices", "Devices", devices),
      card("products", "Products", products, WIDE),
    ],
  },
  {
    id: "payouts",
    title: "Payouts and data",
    cards: [
      card("payout", "Estimated against paid", payout, { ...AMOUNTS, ...WIDE }),
      card("freshness", "Reports loaded", freshness, WIDE),
    ],
  },
];
