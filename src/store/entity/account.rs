//! Accounts: who somebody is, what they told us, what the server counted.

use sea_orm::entity::prelude::*;

/// One row.
#[derive(Clone, Debug, DeriveEntityModel)]
#[sea_orm(table_name = "accounts")]
pub struct Model {
    #[sea_orm(primary_key)]
    pub id: i64,
    pub email: String,
    pub username: Option<String>,
    pub username_key: Option<String>,
    pub password_hash: String,
    pub organisation: String,
    pub contact_name: String,
    pub contact_phone: String,
    pub contact_email: String,
    pub address: Option<String>,
    pub industry: Option<String>,
    pub use_case: Option<String>,
    pub created_at: i64,
    pub last_login_at: Option<i64>,
    pub last_activity_at: Option<i64>,
    pub logged_in_micros: i64,
    pub api_calls: i64,
    pub status: String,
    pub files_uploaded: i64,
    pub subscription_plan: String,
    pub plan_expires_at: i64,
    pub second_factor_enabled: bool,
    pub roles: Json,
    pub last_document_edited: Option<String>,
    pub preferences: Json,
    pub notifications_enabled: bool,
    pub email_verified_at: Option<i64>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
